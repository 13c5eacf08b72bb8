"""OKS-AP of cut objects, against pycocotools, and what visibility does."""

import contextlib
import io

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.oks import COLUMNS, oks_average_precision
from byol_tf.tasks.task import Labelled

NAN = np.nan


def objects(seed, count=40, points=5):
    """Places and guesses in pixels of crops, scores, and origins."""
    rng = np.random.default_rng(seed)
    images = np.sort(rng.integers(0, 12, count))
    corners, areas = (
        rng.integers(0, 60, (count, 2)),
        rng.uniform(200, 2000, count),
    )
    origins = np.column_stack([images, corners, areas])
    true = rng.uniform(0, 50, (count, points, 2))
    true[rng.random((count, points)) < 0.3] = NAN
    true[:, 0] = rng.uniform(0, 50, (count, 2))  # one is labelled at least
    noise = rng.normal(0, rng.choice([0.5, 3], (count, 1, 1)), true.shape)
    guess = np.where(np.isnan(true), 20, true) + noise
    return guess, true, rng.random(count), origins


def of_coco(guess, true, scores, origins):
    """The same from pycocotools."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    truth, found = [], []
    for i, (image, left, top, area) in enumerate(origins.tolist()):
        seen = 2 * ~np.isnan(true[i, :, :1])
        guessed, known = (
            np.hstack([np.where(seen, p[i] + (left, top), 0), seen])
            for p in (guess, true)
        )
        common = {"image_id": int(image), "category_id": 1}
        points = guessed.ravel().tolist()
        found.append({**common, "keypoints": points, "score": scores[i]})
        truth.append(
            {
                **common,
                "id": i + 1,
                "keypoints": known.ravel().tolist(),
                "num_keypoints": int((seen > 0).sum()),
                "area": area,
                "bbox": [left, top, 50, 50],
                "iscrowd": 0,
            }
        )
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = coco.COCO()
        dataset.dataset = {
            "images": [{"id": int(i)} for i in np.unique(origins[:, 0])],
            "annotations": truth,
            "categories": [{"id": 1, "name": "animal"}],
        }
        dataset.createIndex()
        judged = cocoeval.COCOeval(dataset, dataset.loadRes(found), "keypoints")
        judged.params.kpt_oks_sigmas = np.full(true.shape[1], 0.05)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged.stats[[0, 1, 2, 5]]


@pytest.mark.parametrize("seed", range(4))
def test_oks_ap_is_that_of_pycocotools(seed):
    given = objects(seed)
    found = oks_average_precision(*given)
    assert list(found) == ["oks_ap", "oks_ap50", "oks_ap75", "oks_ar"]
    np.testing.assert_allclose(list(found.values()), of_coco(*given), atol=1e-9)
    assert 0.05 < found["oks_ap"] < 0.95


def labelled():
    """Two objects of an image; of the second the right eye is unknown."""
    origins = (["0", "0"], ["3", "9"], ["1", "2"], ["80", "90"])
    columns = {
        "left_x": ["0.5", "0.25"],
        "left_y": ["0.5", "0.5"],
        "left_v": ["2", "1"],
        "right_x": ["", ""],
        "right_y": ["", ""],
        "right_v": ["1", "0"],
        **dict(zip(COLUMNS, origins, strict=True)),
    }
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    examples = Examples(pixels, np.full(2, -1, np.int32))
    return Labelled(examples, LabelTable(("a.png", "b.png"), columns))


TASK = Keypoints(
    ("left_x", "left_y", "right_x", "right_y"),
    whole=True,
    head="heatmap",
    crops=True,
)


def test_unknown_points_are_not_learned_and_move_along():
    targets = TASK.targets(labelled())
    assert targets[:, 4:].tolist() == [
        [8, 8, 0, 3, 1, 80, 1, 1],
        [8, 8, 0, 9, 2, 90, 1, 0],
    ]
    heat = np.full((2, 4, 4, 2), -3, np.float32)
    first = TASK.loss(targets, {"heat": tf.constant(heat)})
    heat[..., 1] = 3  # sees a right eye everywhere
    other = TASK.loss(targets, {"heat": tf.constant(heat)})
    assert other[0] > first[0] + 1 and other[1] == first[1]
    where = {"box": [[0.0, 0, 1, 1]] * 2, "flip": [True, False]}
    where = {k: tf.constant(v) for k, v in where.items()}
    moved = TASK.move(tf.constant(targets), where).numpy()
    np.testing.assert_allclose(moved[0, 2:4], [0.5, 0.5])
    assert moved[:, -2:].tolist() == [[1, 1], [1, 0]]


def test_the_result_of_cut_objects_has_oks_ap():
    targets = TASK.targets(labelled())
    found = TASK.accumulator()
    points = np.nan_to_num(targets[:, :4], nan=0.1)
    found.update(targets, {"points": points, "confidence": np.ones((2, 2))})
    result = found.result()
    assert result["oks_ap"] == pytest.approx(1) and result["pck"] == 1
