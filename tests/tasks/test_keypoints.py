"""Keypoints: columns, the centre square, loss, metrics."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.special import huber

from byol_tf.data.label_table import LabelTable
from byol_tf.data.sources import load
from byol_tf.modalities.image.reading import image_decoder, load_images
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.task import Labelled
from tests.support.tables import with_table

NAN = np.nan
POINTS = ("eye_x", "eye_y", "tail_x", "tail_y")


IMAGES = with_table(
    tail_y=("0.25", "", "0"),
    eye_x=("0.5", "1", ""),
    note=("a", "b", "c"),
    tail_x=("0.75", "", "1.0"),
    eye_y=("0.125", "0", ""),
)


def test_targets_are_pairs_in_fractions_of_the_side():
    task = Keypoints.of(IMAGES)
    assert task.columns == ("tail_x", "tail_y", "eye_x", "eye_y")
    assert task.names == ("tail", "eye")
    assert task.moves_with_image and not task.mixable
    targets = task.targets(IMAGES)
    assert targets[:, 4:].tolist() == [[2, 2]] * 3  # width and height
    assert task.known(targets).tolist() == [True] * 3
    targets = targets[:, :4]
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(
        targets,
        [[0.75, 0.25, 0.5, 0.125], [NAN, NAN, 1, 0], [1, 0, NAN, NAN]],
    )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            with_table(a_x=("0.5", "1.5"), a_y=("0", "0")),
            "column 'a_x' must have numbers from 0 to 1.*'1.5' for 1.png",
        ),
        (with_table(a_x=("0", "0"), a_y=("0", "-1")), "'-1' for 1.png"),
        (with_table(a_x=("0", "0"), a_y=("0", "")), "one of them for 1.png"),
        (with_table(a_x=("0.5",), a_z=("0.5",)), "lacks 'a_y'"),
        (with_table(a=("0.5",)), "need columns <name>_x and <name>_y"),
        (with_table(a_x=("",), a_y=("",)), "'a' .* not visible in any"),
        (Labelled(IMAGES.examples), "keypoints need a file of labels"),
    ],
)
def test_points_that_cannot_be_learned_are_an_error(images, message):
    with pytest.raises(ValueError, match=message):
        Keypoints.of(images)


@pytest.mark.parametrize(
    ("columns", "alpha", "message"),
    [
        (("a_y", "a_x"), 0.1, "must be pairs of <name>_x and <name>_y"),
        (("a_x", "b"), 0.1, "must be pairs of <name>_x and <name>_y"),
        (POINTS, 0, "`pck_alpha` must be above 0"),
    ],
)
def test_options_that_do_not_fit_are_an_error(columns, alpha, message):
    with pytest.raises(ValueError, match=message):
        Keypoints(columns, alpha)


@pytest.mark.parametrize("whole", [False, True])
def test_points_follow_what_is_shown(tmp_path, whole):
    # A white pixel at a known place of a wide, a tall and a turned image.
    columns = {"dot_x": [], "dot_y": []}
    files = {"1.png": (64, 32), "2.png": (32, 64), "3.jpg": (64, 32)}
    for name, (width, height) in files.items():
        pixels = np.zeros((height, width), np.uint8)
        pixels[16:20, 24:28] = 255
        exif = Image.Exif()
        x, y = 26 / width, 18 / height
        if name == "3.jpg":
            exif[0x0112] = 6  # to be turned clockwise by a quarter
            x, y = 1 - y, x
        Image.fromarray(pixels).save(
            tmp_path / name, exif=exif, **({"quality": 95})
        )
        columns["dot_x"].append(str(x))
        columns["dot_y"].append(str(y))
    decoder = image_decoder(32, 1, whole=whole)
    images = load("folder", directory=str(tmp_path), decoder=decoder)
    table = LabelTable(list(files), columns).aligned(images.paths)
    task = Keypoints(("dot_x", "dot_y"), whole=whole)
    targets = task.targets(Labelled(images, table))[:, :2]
    for image, target in zip(images.rows[..., 0], targets, strict=True):
        weights = np.where(image > 100, image, 0.0)
        y, x = np.indices(image.shape) + 0.5
        centre = [(weights * x).sum(), (weights * y).sum()]
        np.testing.assert_allclose(
            target, centre / weights.sum() / 32, atol=0.01
        )


def test_a_point_outside_of_the_square_is_not_to_be_seen(tmp_path):
    for name in ("1.png", "2.png"):
        Image.new("L", (40, 20)).save(tmp_path / name)
    images = load_images("folder", "", "train", str(tmp_path), image_size=8)
    columns = {"a_x": ("0.2", "0.375"), "a_y": ("0.5", "1")}
    labelled = Labelled(images, LabelTable(images.paths, columns))
    old = Keypoints(("a_x", "a_y"))
    np.testing.assert_allclose(old.targets(labelled), [[NAN, NAN], [0.25, 1]])
    np.testing.assert_allclose(
        Keypoints.of(labelled).targets(labelled),
        [[0.2, 0.25, 40, 20], [0.375, 0.5, 40, 20]],
    )


def test_predictions_go_back_to_the_whole_image():
    predictions = np.array([[0.25, 1, 0.5, 0.5], [0.25, 1, 0.5, 0.5]])
    sizes = {"size": np.array([[40, 20], [30, 30]])}
    whole = Keypoints(POINTS).decode({"points": predictions}, sizes)
    np.testing.assert_allclose(
        whole["points"], [[0.375, 1, 0.5, 0.5], [0.25, 1, 0.5, 0.5]]
    )
    task = Keypoints(POINTS, whole=True)
    predictions[0] = [0.25, 0.5, 0.5, 0.25]
    np.testing.assert_allclose(
        task.decode({"points": predictions}, sizes)["points"],
        [[0.25, 1, 0.5, 0.5], [0.25, 1, 0.5, 0.5]],
    )


def test_points_in_the_margins_of_a_square_end_at_the_image():
    points = np.array([[0.25, 0.75, 1.0, 0.5]])
    sizes = {"size": np.array([[3000, 200]])}
    found = Keypoints(POINTS, whole=True).decode({"points": points}, sizes)
    np.testing.assert_allclose(found["points"], [[0.25, 1, 1, 1]])


def test_the_head_starts_at_the_centre():
    head = Keypoints(POINTS).head({"vector": tf.TensorSpec([None, 8])})
    outputs = head({"vector": np.zeros((3, 8), np.float32)})
    np.testing.assert_array_equal(outputs["points"], np.full((3, 4), 0.5))


def test_loss_is_that_of_huber_over_the_visible_points():
    targets = np.array([[0.5, 0.25, NAN, NAN], [NAN] * 4], np.float32)
    outputs = np.array([[0.6, 0.75, 9, 9], [0.5] * 4], np.float32)
    # In quarters of a side: 0.4 and 2.
    expected = (huber(1, 0.4) + huber(1, 2)) / 2
    loss = Keypoints(POINTS).loss(targets, {"points": outputs})
    np.testing.assert_allclose(loss, [expected, 0], rtol=1e-5)


def test_an_invisible_point_has_no_gradient():
    outputs = tf.Variable([[0.5, 0.5, 0.5, 0.5]])
    with tf.GradientTape() as tape:
        loss = Keypoints(POINTS).loss(
            tf.constant([[0.625, 0.5, NAN, NAN]]), {"points": outputs}
        )
    # Half a quarter too small, by the two coordinates, in quarters.
    np.testing.assert_allclose(
        tape.gradient(loss, outputs), [[-0.5 / 2 / 0.25, 0, 0, 0]], rtol=1e-6
    )


def test_metrics_by_hand():
    targets = np.array([[0.5, 0.5, 0.1, 0.1], [0.5, 0.5, NAN, NAN]])
    predictions = np.array([[0.53, 0.54, 0.4, 0.5], [0.5, 0.7, 0, 0]])
    result = Keypoints(POINTS, pck_alpha=0.3).metrics(targets, predictions)
    assert result == {
        "pck": pytest.approx(2 / 3),
        "pck_half": pytest.approx(1 / 3),
        "mean_error": pytest.approx((0.05 + 0.5 + 0.2) / 3),
        "pck/eye": 1.0,
        "pck/tail": 0.0,
    }


def test_predictions_that_are_not_finite_are_wrong():
    result = Keypoints(POINTS).metrics(np.zeros((2, 4)), np.full((2, 4), NAN))
    assert result["pck"] == 0 and result["mean_error"] == np.inf


def test_no_visible_point_to_judge_by_is_an_error():
    with pytest.raises(ValueError, match="visible in any of 2 images"):
        Keypoints(POINTS).metrics(np.full((2, 4), NAN), np.zeros((2, 4)))


def test_rows_have_the_columns_of_the_table():
    rows = Keypoints(POINTS).rows(
        {"points": np.array([[0.5, 0.25, 0.125, 1.0]])}
    )
    assert rows == [
        {"eye_x": 0.5, "eye_y": 0.25, "tail_x": 0.125, "tail_y": 1.0}
    ]


def test_points_move_with_crops_and_sides_change_in_a_mirror():
    columns = [
        f"{n}_{a}" for n in ("left_eye", "nose", "right_eye") for a in "xy"
    ]
    targets = np.float32(
        [[0.2, 0.5, 0.5, 0.9, 0.8, 0.5], [0.2, 0.5, NAN, NAN, 0.4, 0.4]]
    )
    where = {
        "box": tf.constant([[0.0, 0.0, 1.0, 1.0], [0.25, 0.25, 0.5, 0.5]]),
        "flip": tf.constant([True, False]),
    }
    moved = Keypoints(columns).move(tf.constant(targets), where)
    np.testing.assert_allclose(
        moved,
        [[0.2, 0.5, 0.5, 0.9, 0.8, 0.5], [NAN, NAN, NAN, NAN, 0.3, 0.3]],
        atol=1e-6,
    )


def test_one_sided_poses_are_not_mirrored_and_heatmaps_know_places():
    columns = [
        f"{n}_{a}" for n in ("left_ear", "right_ear", "nose") for a in "xy"
    ]
    rng = np.random.default_rng(0)
    pose = np.array([(0.4, 0.4), (0.4, 0.6), (0.7, 0.5)])
    points = pose + rng.normal(scale=0.02, size=(12, 3, 2))
    specs = {"P2": tf.TensorSpec([None, 8, 8, 4], tf.float32)}
    sizes = []
    for given in (points, np.abs((rng.random((12, 1, 1)) < 0.5) - points)):
        task = Keypoints(columns, crops=True, whole=True, head="heatmap")
        task.look_at(given)
        sizes.append(task.head(specs).count_params())
        one_sided = given is points
        assert task.view["flip"] == (0.0 if one_sided else 0.5)
        assert ("No view is mirrored" in task.guesses()[0]) == one_sided
    assert sizes[0] - sizes[1] == 2 * 9 * 64  # two more maps to convolve


MAPS = Keypoints(POINTS, whole=True, head="heatmap")


def test_metrics_of_whole_images_are_by_the_object_and_in_pixels():
    # Points 0.3 and 0.4 apart; the longer side of their box is 0.4.
    targets = np.array(
        [[0.1, 0.1, 0.4, 0.5, 200, 100], [NAN, NAN, 0.5, 0.5, 80, 100]]
    )
    predictions = np.array([[0.1, 0.13, 0.4, 0.56], [0, 0, 0.5, 0.59]])
    result = Keypoints(POINTS, 0.1, whole=True).metrics(targets, predictions)
    assert result["pck/eye"] == 1 and result["pck/tail"] == 0.5
    assert result["median_error_px"] == pytest.approx(9)
    assert result["pck"] == pytest.approx(2 / 3)


def test_the_constant_guess_is_the_median_place():
    targets = np.array([[0.1, 0.2, NAN, NAN, 9, 9], [0.3, 0.4, 0.5, 0.6, 9, 9]])
    guess = MAPS.constant(targets)["points"]
    np.testing.assert_allclose(guess, [0.2, 0.3, 0.5, 0.6])


def heat_of(*points, side=32):
    """Logits of a heatmap with the bell of the task, for each point."""
    y, x = (np.indices((side, side)) + 0.5) / side
    maps = [
        np.full((side, side), 1e-4)
        if px is None
        else np.exp(-((x - px) ** 2 + (y - py) ** 2) * side**2 / 8)
        for px, py in points
    ]
    p = np.clip(np.stack(maps, axis=-1), 1e-4, 1 - 1e-4)[None]
    return {"heat": tf.constant(np.log(p / (1 - p)), tf.float32)}


def test_a_point_is_found_between_cells_with_its_confidence():
    decoded = MAPS.decode(heat_of((0.31, 0.62), (None, None)))
    np.testing.assert_allclose(
        decoded["points"][0, :2], [0.31, 0.62], atol=0.1 / 32
    )
    np.testing.assert_allclose(decoded["confidence"], [[1, 1e-4]], atol=0.06)
    row = MAPS.rows({k: v.numpy() for k, v in decoded.items()})[0]
    assert list(row)[4:] == ["eye_confidence", "tail_confidence"]


def test_points_at_the_border_are_not_pulled_inwards():
    points = ((0.01, 0.99), (0.03, 0.5), (0.96, 0.02), (0.0, 1.0))
    columns = [f"{n}_{a}" for n in "abcd" for a in "xy"]
    task = Keypoints(columns, whole=True, head="heatmap")
    decoded = task.decode(heat_of(*points, side=64))
    np.testing.assert_allclose(
        decoded["points"][0], np.ravel(points), atol=0.1 / 64
    )


def test_the_loss_of_a_heatmap_is_zero_for_the_bells_themselves():
    targets = np.float32([[0.31, 0.62, NAN, NAN, 64, 64]])
    right = MAPS.loss(targets, heat_of((0.31, 0.62), (None, None)))
    wrong = MAPS.loss(targets, heat_of((0.5, 0.62), (None, None)))
    hidden = MAPS.loss(targets, heat_of((0.31, 0.62), (0.5, 0.5)))
    assert abs(float(right[0])) < 0.2
    assert float(wrong[0]) > 10 and float(hidden[0]) > 10


def test_sizes_stay_behind_points_that_move():
    targets = tf.constant([[0.2, 0.5, 0.5, 0.9, 40.0, 20.0]])
    where = {"box": tf.constant([[0.0, 0.0, 1.0, 0.5]]), "flip": [False]}
    where["flip"] = tf.constant([False])
    moved = MAPS.move(targets, where)
    np.testing.assert_allclose(moved, [[0.4, 0.5, 1, 0.9, 40, 20]])


def test_heatmaps_come_from_levels_and_old_models_from_the_vector():
    levels = {"P2": 4, "P3": 8}
    assert MAPS.consumes(levels) == ("P2", "P3")
    assert Keypoints(POINTS).consumes(levels) == ("vector",)
    head = MAPS.head({"P2": tf.TensorSpec([None, 8, 8, 4])})
    assert head.output["heat"].shape == (None, 8, 8, 2)


def test_a_point_of_low_confidence_stays_at_its_peak():
    heat = heat_of((0.31, 0.62), (0.5, 0.5))["heat"] - 25.0
    decoded = MAPS.decode({"heat": heat})
    np.testing.assert_allclose(
        decoded["points"], [[0.31, 0.62, 0.5, 0.5]], atol=0.5 / 32
    )
