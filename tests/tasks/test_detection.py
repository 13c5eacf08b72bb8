"""Detection: targets, decoding, loss, metrics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.annotations.check import Boxes
from byol_tf.data.examples import Examples
from byol_tf.tasks.detection import Detection
from byol_tf.tasks.registry import from_json, to_json
from byol_tf.tasks.task import Labelled

NAN = np.nan
TASK = Detection(("cat", "dog"), ids=(3, 7))


def labelled(sizes, *rows, names=("cat", "dog")):
    """Images of these sizes; rows are image, label, corners, crowd."""
    images, labels, corners, crowd = zip(*rows, strict=True)
    corners = np.float64(corners)
    boxes = Boxes(
        names,
        (3, 7),
        np.array(sizes),
        np.ones(len(sizes), bool),
        np.array(images),
        corners,
        np.array(labels),
        np.array(crowd),
        np.prod(corners[:, 2:] - corners[:, :2], axis=1),
    )
    pixels = np.zeros((len(sizes), 8, 8, 3), np.uint8)
    examples = Examples(pixels, np.full(len(sizes), -1, np.int32))
    return Labelled(examples, boxes=boxes)


SCENES = labelled(
    [(40, 20), (20, 40), (10, 10)],
    (0, 1, (10, 0, 30, 20), False),
    (1, 0, (0, 10, 20, 40), False),
    (0, 0, (0, 0, 4, 4), True),
)


def test_the_task_has_the_classes_of_the_boxes():
    task = Detection.of(SCENES)
    assert task.columns == ("cat", "dog") and task.ids == (3, 7)
    with pytest.raises(ValueError, match="detection needs boxes"):
        Detection.of(Labelled(SCENES.examples))
    again = from_json(to_json(TASK))
    assert vars(again) == vars(TASK)


def test_targets_are_padded_fractions_of_the_longer_side():
    targets = TASK.targets(SCENES)
    np.testing.assert_allclose(
        targets["boxes"],
        [
            [[0.25, 0, 0.75, 0.5], [0, 0, 0.1, 0.1]],
            [[0, 0.25, 0.5, 1], [NAN] * 4],
            [[NAN] * 4] * 2,
        ],
    )
    assert targets["classes"].tolist() == [[1, 0], [0, -1], [-1, -1]]
    assert targets["crowd"].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert targets["side"].tolist() == [40, 40, 10]
    assert targets["extent"].tolist() == [[1, 0.5], [0.5, 1], [1, 1]]
    # An image without objects is known, too.
    assert TASK.known(targets).tolist() == [True] * 3


def test_images_are_grouped_by_their_rarest_class():
    targets = {"classes": np.int32([[1, 0], [1, 1], [0, -1], [-1, -1]])}
    assert TASK.strata(targets).tolist() == [0, 1, 0, 2]


def outputs_for(boxes, side=16, classes=2):
    """Outputs that say each of some (label, score, box) in one image."""
    heat = np.full((1, side, side, classes), -9, np.float32)
    distances = np.full((1, side, side, 4), 0.01, np.float32)
    for label, score, (x0, y0, x1, y1) in boxes:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        column, row = int(x * side), int(y * side)
        heat[0, row, column, label] = np.log(score / (1 - score))
        px, py = (column + 0.5) / side, (row + 0.5) / side
        distances[0, row, column] = [px - x0, py - y0, x1 - px, y1 - py]
    return {"heat": tf.constant(heat), "distances": tf.constant(distances)}


FOUND = [(0, 0.9, (0.1, 0.2, 0.5, 0.4)), (1, 0.6, (0.4, 0.5, 0.8, 0.9))]


def test_peaks_become_boxes():
    decoded = TASK.decode(outputs_for(FOUND))
    assert decoded["boxes"].shape == (1, 100, 4)
    assert decoded["classes"][0, :2].numpy().tolist() == [0, 1]
    np.testing.assert_allclose(
        decoded["scores"][0, :3], [0.9, 0.6, 1.2e-4], atol=1e-4
    )
    for found, (*_, box) in zip(decoded["boxes"][0], FOUND, strict=False):
        np.testing.assert_allclose(found, box, atol=1e-6)
    assert decoded["count"].numpy().tolist() == [2]


def test_beside_a_peak_there_is_no_other():
    outputs = outputs_for([FOUND[0], (0, 0.8, (0.16, 0.2, 0.56, 0.4))])
    assert TASK.decode(outputs)["count"].numpy().tolist() == [1]


def test_beside_a_certain_peak_there_is_no_other():
    heat = np.full((1, 8, 8, 2), -9, np.float32)
    heat[0, 4, 3:6, 0] = 18, 20, 18
    distances = tf.ones([1, 8, 8, 4])
    decoded = TASK.decode({"heat": tf.constant(heat), "distances": distances})
    assert decoded["count"].numpy().tolist() == [1]


def test_a_confidence_of_0_shows_only_peaks_of_wanted_classes():
    task = Detection(("cat", "dog"), confidence=0.0, only=("dog",))
    slope = np.broadcast_to(np.arange(8.0), (1, 8, 8))  # peaks at its end
    heat = tf.constant(np.stack([slope, slope], axis=-1), tf.float32)
    decoded = task.decode({"heat": heat, "distances": tf.ones([1, 8, 8, 4])})
    (rows,) = task.rows({k: v.numpy() for k, v in decoded.items()})
    assert [row["label"] for row in rows] == ["dog"] * 8


def test_boxes_go_back_to_the_pixels_of_the_image():
    origin = {"size": tf.constant([[200, 100]])}
    decoded = TASK.decode(outputs_for(FOUND), origin)
    np.testing.assert_allclose(
        decoded["boxes"][0, :2],
        [[20, 40, 100, 80], [80, 100, 160, 100]],
        atol=1e-4,
    )
    rows = TASK.rows({k: v.numpy() for k, v in decoded.items()})
    assert [row["label"] for row in rows[0]] == ["cat", "dog"]
    assert list(rows[0][0]) == ["label", "score", "x0", "y0", "x1", "y1"]
    assert rows[0][0]["x1"] == pytest.approx(100, abs=1e-3)


def test_the_loss_is_least_for_the_right_outputs():
    boxes = np.float32([[box for *_, box in FOUND] + [[NAN] * 4]])
    targets = {
        "boxes": tf.constant(boxes),
        "classes": tf.constant([[0, 1, -1]]),
        "crowd": tf.constant([[0, 0, 0]]),
    }
    right = [(label, 0.999, box) for label, _, box in FOUND]
    wrong = [(1 - label, 0.999, box) for label, _, box in FOUND]
    losses = [
        float(TASK.loss(targets, outputs_for(found))[0])
        for found in (right, FOUND, wrong)
    ]
    assert losses == sorted(losses) and losses[2] > losses[0] + 5
    # A crowd is nothing to learn.
    crowd = {**targets, "crowd": tf.constant([[0, 1, 0]])}
    alone = {
        **targets,
        "boxes": tf.constant(boxes[:, :1]),
        "classes": tf.constant([[0]]),
        "crowd": tf.constant([[0]]),
    }
    np.testing.assert_allclose(
        TASK.loss(crowd, outputs_for(right)),
        TASK.loss(alone, outputs_for(right)),
        rtol=1e-6,
    )


def test_gradients_are_finite_in_an_image_without_objects():
    head = TASK.head({"P2": tf.TensorSpec([None, 8, 8, 4])})
    targets = {
        "boxes": tf.fill([2, 1, 4], NAN),
        "classes": tf.fill([2, 1], -1),
        "crowd": tf.zeros([2, 1], tf.int32),
    }
    with tf.GradientTape() as tape:
        outputs = head({"P2": tf.random.stateless_normal([2, 8, 8, 4], [1, 2])})
        loss = TASK.loss(targets, outputs)
    gradients = tape.gradient(loss, head.trainable_variables)
    assert all(np.isfinite(g).all() for g in gradients if g is not None)


def test_a_head_loads_in_safe_mode(tmp_path):
    specs = {
        "P2": tf.TensorSpec([None, 8, 8, 4]),
        "P3": tf.TensorSpec([None, 4, 4, 6]),
    }
    model = TASK.head(specs)
    model.save(tmp_path / "head.keras")
    again = keras.saving.load_model(tmp_path / "head.keras")
    maps = {n: np.ones((1, *s.shape[1:]), np.float32) for n, s in specs.items()}
    for name, output in model(maps).items():
        np.testing.assert_array_equal(again(maps)[name], output)
    assert tuple(model.output["heat"].shape) == (None, 8, 8, 2)


def test_boxes_move_with_views_and_lost_ones_are_none():
    targets = TASK.targets(SCENES)
    where = {
        "box": tf.constant([[0.0, 0.0, 0.5, 1.0]] * 3),
        "flip": tf.constant([True, False, False]),
    }
    moved = TASK.move({k: tf.constant(v) for k, v in targets.items()}, where)
    np.testing.assert_allclose(moved["boxes"][0, 0], [0.25, 0, 0.75, 1])
    np.testing.assert_allclose(moved["boxes"][1, 0], [0, 0.5, 0.5, 1])
    assert moved["classes"].numpy().tolist() == [[1, 0], [0, -1], [-1, -1]]
    where["box"] = tf.constant([[0.8, 0.8, 0.2, 0.2]] * 3)
    moved = TASK.move({k: tf.constant(v) for k, v in targets.items()}, where)
    assert moved["classes"].numpy().max() == -1


def test_metrics_come_batch_by_batch():
    accumulator = TASK.accumulator()
    targets = TASK.targets(SCENES)
    perfect = {
        "boxes": np.nan_to_num(targets["boxes"]),
        "scores": np.float32(targets["classes"] >= 0),
        "classes": targets["classes"],
    }
    for part in (slice(0, 2), slice(2, 3)):
        accumulator.update(
            {k: v[part] for k, v in targets.items()},
            {k: v[part] for k, v in perfect.items()},
        )
    result = accumulator.result()
    assert result["ap"] == result["ap/cat"] == pytest.approx(1)
    assert result["ap50/dog"] == pytest.approx(1)
    # 400 and 600 square pixels are small.
    assert result["ap_small"] == pytest.approx(1)
    assert np.isnan(result["ap_large"])
    with pytest.raises(ValueError, match="needs objects to find"):
        TASK.accumulator().result()


def test_boxes_end_at_the_border_of_the_image():
    scene = labelled([(40, 20)], (0, 1, (10, 0, 30, 20), False))
    targets, found = TASK.targets(scene), TASK.accumulator()
    boxes = targets["boxes"] * [1, 1, 1, 1.6]  # into the letterbox
    found.update(targets, {**TASK.as_decoded(targets), "boxes": boxes})
    assert found.result()["ap"] == pytest.approx(1)


def test_more_objects_than_are_predicted_are_said():
    rows = [(i > 101, 0, (i, 0, i + 2, 2), False) for i in range(110)]
    (line,) = Detection.of(labelled([(200, 20)] * 2, *rows)).guesses()
    assert line.startswith("1 training images have more than 100 objects, up")
    assert "up to 102" in line and not Detection.of(SCENES).guesses()


def test_errors_and_confusion_are_those_at_a_confidence():
    found = TASK.accumulator()
    targets = TASK.targets(SCENES)
    decoded = TASK.as_decoded(targets)
    decoded = {**decoded, "classes": decoded["classes"].copy()}
    decoded["classes"][1] = 1  # a cat taken for a dog
    decoded["scores"] = np.where(decoded["scores"] > 0, [[0.8]], 0)
    found.update(targets, decoded)
    # Objects: a dog, a cat, and a crowd that does not count.
    assert found.confusion(0.5).tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert found.confusion(0.9).tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert found.worst() == [(1, {"missed": 1, "wrong": 1})]
    assert found.best_confidence() == pytest.approx(0.8)
    assert set(found.pictures(0.5)) == {
        *("Precision, recall and F1", "What is confused")
    }
