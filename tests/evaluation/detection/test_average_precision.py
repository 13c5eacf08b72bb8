"""AP and AR against pycocotools, on random boxes and points."""

import contextlib
import io

import numpy as np
import pytest

from byol_tf.evaluation.detection import average_precision as ap
from byol_tf.evaluation.detection.keypoints import keypoint_similarity

coco = pytest.importorskip("pycocotools.coco")
cocoeval = pytest.importorskip("pycocotools.cocoeval")
POINTS = 5
SIGMAS = np.linspace(0.03, 0.1, POINTS)


def random_set(rng, images=4, classes=2, side=200):
    """Objects and predictions, some of which are near them."""
    true, predicted = [], []
    for image in range(images):
        for label in range(classes):
            boxes = []
            for _ in range(rng.integers(0, 6)):
                size = side ** rng.uniform(0.3, 0.95, 2)
                boxes.append([*(rng.random(2) * (side - size)), *size])
                true.append(
                    (image, label, boxes[-1], bool(rng.random() < 0.15))
                )
            near = [np.abs(b + rng.normal(0, 4, 4)) for b in boxes * 2]
            far = [rng.random(4) * side / 2 for _ in range(3)]
            for box in near + far:
                # Of few values, so that scores are equal now and then.
                if rng.random() < 0.8:
                    score = round(rng.random(), 1 + rng.integers(0, 3))
                    predicted.append((image, label, list(box), score))
    return true, predicted


def annotation(i, image, label, box, crowd):
    return {
        "id": i + 1,
        "image_id": image + 1,
        "category_id": label + 1,
        "bbox": [float(value) for value in box],
        "area": float(box[2] * box[3]),
        "iscrowd": int(crowd),
    }


def theirs(kind, true, predicted, images, classes, sigmas=None):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [{"id": i + 1} for i in range(images)],
            "categories": [{"id": i + 1} for i in range(classes)],
            "annotations": true,
            "info": {},
        }
        truth.createIndex()
        found = truth.loadRes(predicted)
        judge = cocoeval.COCOeval(truth, found, kind)
        if sigmas is not None:
            judge.params.kpt_oks_sigmas = np.array(sigmas)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats


def corners(boxes):
    boxes = np.reshape(np.float64(boxes), (-1, 4))
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def ours(true, predicted, images, classes):
    by_class = {}
    for label in range(classes):
        by_class[str(label)] = rows = []
        for image in range(images):
            own = [t for t in true if t[:2] == (image, label)]
            found = [p for p in predicted if p[:2] == (image, label)]
            crowd = np.array([t[3] for t in own], bool)
            boxes = corners([t[2] for t in own])
            given = corners([p[2] for p in found])
            areas = [t[2][2] * t[2][3] for t in own]
            rows.append(
                ap.match(
                    ap.box_iou(given, boxes, crowd),
                    np.array([p[3] for p in found], np.float64),
                    np.array([p[2][2] * p[2][3] for p in found]),
                    ap.Objects(np.array(areas), crowd, crowd),
                )
            )
    return ap.summarize(by_class)


NAMES = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"),
)


def test_boxes_are_judged_as_by_pycocotools():
    rng = np.random.default_rng(0)
    for _ in range(300):
        true, predicted = random_set(rng)
        if not predicted:
            continue
        stats = theirs(
            "bbox",
            [annotation(i, *t) for i, t in enumerate(true)],
            [
                {
                    "image_id": image + 1,
                    "category_id": label + 1,
                    "bbox": [float(value) for value in box],
                    "score": float(score),
                }
                for image, label, box, score in predicted
            ],
            *(4, 2),
        )
        found = ours(true, predicted, 4, 2)
        expected = np.where(np.array(stats) < 0, np.nan, stats)
        np.testing.assert_allclose(
            [found[name] for name in NAMES], expected, atol=1e-12
        )


def random_points(rng, box):
    x, y, width, height = box
    return np.array([x, y]) + rng.random((POINTS, 2)) * [width, height]


def test_points_are_judged_as_by_pycocotools():
    rng = np.random.default_rng(1)
    ranges = [ap.AREAS[name] for name in ("all", "medium", "large")]
    names = ("ap", "ap50", "ap75", "ap_medium", "ap_large")
    for _ in range(200):
        true, results, matches = [], [], []
        for image in range(3):
            own, boxes, visibles, places = [], [], [], []
            for _ in range(rng.integers(0, 4)):
                size = 200 ** rng.uniform(0.5, 0.95, 2)
                box = np.array([*(rng.random(2) * (200 - size)), *size])
                share = rng.choice([0.7, 0.0], p=[0.9, 0.1])
                visible = rng.random(POINTS) < share
                points = random_points(rng, box)
                own.append(annotation(len(true), image, 0, box, False))
                own[-1]["keypoints"] = np.concatenate(
                    [points, 2.0 * visible[:, None]], axis=1
                ).ravel()
                own[-1]["num_keypoints"] = int(visible.sum())
                true.append(own[-1])
                boxes.append(box)
                visibles.append(visible)
                places.append(points)
            found, scores = [], []
            for points in places * 2 + [rng.random((POINTS, 2)) * 200]:
                noise = rng.choice([1, 5, 20])
                found.append(points + rng.normal(0, noise, (POINTS, 2)))
                scores.append(round(rng.random(), 2))
                keypoints = np.concatenate(
                    [found[-1], np.ones((POINTS, 1))], axis=1
                )
                results.append(
                    {
                        "image_id": image + 1,
                        "category_id": 1,
                        "keypoints": keypoints.ravel().tolist(),
                        "score": scores[-1],
                    }
                )
            visible = np.reshape(visibles, (-1, POINTS)).astype(bool)
            areas = np.array([a["area"] for a in own])
            similarity = keypoint_similarity(
                np.array(found),
                np.reshape(places, (-1, POINTS, 2)),
                visible,
                corners(boxes),
                areas,
                SIGMAS,
            )
            found = np.array(found)
            extent = np.prod(found.max(axis=1) - found.min(axis=1), axis=-1)
            unlabelled = ~visible.any(axis=1)
            matches.append(
                ap.match(
                    similarity,
                    np.array(scores),
                    extent,
                    ap.Objects(areas, np.zeros_like(unlabelled), unlabelled),
                    ranges,
                    limit=20,
                )
            )
        stats = theirs("keypoints", true, results, 3, 1, SIGMAS)
        ours = ap.summarize(
            {"mouse": matches}, ("all", "medium", "large"), (20,)
        )
        expected = np.where(np.array(stats[:5]) < 0, np.nan, stats[:5])
        np.testing.assert_allclose(
            [ours[name] for name in names], expected, atol=1e-12
        )


def test_a_class_without_objects_is_left_out():
    none = np.zeros((0, 4))
    nothing = ap.Objects(np.zeros(0), *np.zeros((2, 0), bool))
    one = ap.Objects(np.array([100.0]), *np.zeros((2, 1), bool))
    box = np.float64([[0, 0, 10, 10]])
    right = ap.match(
        ap.box_iou(box, box, one.crowd), np.ones(1), np.array([100.0]), one
    )
    wrong = ap.match(np.zeros((1, 0)), np.ones(1), np.array([100.0]), nothing)
    found = ap.summarize({"a": [right], "b": [wrong]})
    assert found["ap"] == found["ap/a"] == pytest.approx(1)
    assert np.isnan(found["ap/b"]) and np.isnan(found["ap_large"])
    empty = ap.match(ap.box_iou(none, box, one.crowd), *np.zeros((2, 0)), one)
    assert ap.summarize({"a": [empty]})["ap"] == 0
