"""What is left out of boxes, and what is said of it."""

import pathlib

import pytest

from byol_tf.data.annotations.check import check_boxes
from byol_tf.data.annotations.listed import Annotations, Box

NAN = float("nan")
PATHS = ["a.png", "b.png", "c.png"]


def listed(*boxes, **fields):
    return Annotations(
        **{
            "name": "train.json",
            "root": pathlib.Path("/data"),
            "paths": PATHS,
            "names": ["cat", "dog"],
            "boxes": [Box(*box) for box in boxes],
            **fields,
        }
    )


def checked(*boxes, paths=PATHS, names=(), **fields):
    return check_boxes(
        listed(*boxes, **fields), paths, lambda path: (40, 20), names
    )


GOOD = [(0, (1, 2, 11, 12), 0), (1, (5, 5, 15, 15), 1), (1, (0, 0, 9, 9), 1)]


def test_good_boxes_stay_in_pixels():
    boxes = checked(*GOOD, ids=(7, 9))
    assert boxes.names == ("cat", "dog") and boxes.ids == (7, 9)
    assert boxes.images.tolist() == [0, 1, 1]
    assert boxes.corners.tolist() == [list(box) for _, box, _ in GOOD]
    assert boxes.areas.tolist() == [100, 100, 81]
    assert boxes.sizes.tolist() == [[40, 20]] * 3 and boxes.known.all()
    assert boxes.lines == (
        "train.json: 3 images, 3 boxes (cat 1, dog 2); 1 images without any.",
    )


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ((2, (5, 5, 5.5, 9), 0), "smaller than a pixel or turned inside out"),
        ((2, (9, 5, 5, 9), 0), "smaller than a pixel or turned inside out"),
        ((2, (41, 5, 60, 9), 0), "lie outside of their images"),
        ((2, (NAN, 5, 6, 9), 0), "are not four numbers"),
        ((2, (1, 5, 6, 9), -1), "are of a class that the training labels"),
    ],
)
def test_a_bad_box_is_left_out_and_its_image_stays(bad, reason):
    boxes = checked(*GOOD, bad)
    assert boxes.images.tolist() == [0, 1, 1] and len(boxes.sizes) == 3
    assert reason in boxes.lines[-1] and "1 boxes" in boxes.lines[-1]
    assert "'c.png'" in boxes.lines[-1]


def test_a_box_that_occurs_twice_counts_once():
    boxes = checked(*GOOD, GOOD[1])
    assert len(boxes.images) == 3 and "occur twice" in boxes.lines[-1]


def test_boxes_are_cut_at_the_border():
    boxes = checked(*GOOD, (2, (30, 10, 40.5, 20.5), 0))
    assert boxes.corners[-1].tolist() == [30, 10, 40, 20]
    assert len(boxes.lines) == 1


def test_fractions_become_pixels():
    boxes = checked((0, (0.25, 0.5, 0.5, 1.0), 0), relative=True)
    assert boxes.corners.tolist() == [[10, 10, 20, 20]]


def test_boxes_of_a_file_that_was_resized_are_scaled():
    boxes = checked(
        (0, (2, 4, 22, 24), 0, False, 400.0), sizes={"a.png": (80, 40)}
    )
    assert boxes.corners.tolist() == [[1, 2, 11, 12]]
    assert boxes.areas.tolist() == [100]
    assert "1 images have other sizes than their labels" in boxes.lines[1]


def test_an_image_that_exif_turns_is_not_known():
    boxes = checked(*GOOD, sizes={"a.png": (20, 40)})
    assert boxes.known.tolist() == [False, True, True]
    assert boxes.images.tolist() == [1, 1]
    assert "EXIF rotates" in boxes.lines[-1]


def test_images_whose_labels_cannot_be_read_are_not_known():
    boxes = checked(*GOOD, damaged=["c.png", "gone.png"])
    assert boxes.known.tolist() == [True, True, False]
    assert len(boxes.images) == 3
    assert boxes.lines[-1] == (
        "Left out: 1 images whose label files cannot be read: 'c.png'."
    )


def test_classes_are_those_of_the_training_images():
    boxes = checked(*GOOD, names=("dog",))
    assert boxes.labels.tolist() == [0, 0]
    assert "a class that the training labels do not name" in boxes.lines[-1]


def test_classes_of_the_same_name_are_one():
    fields = {"names": ["cat", "cat", "dog"], "ids": (1, 2, 3)}
    given = listed(*GOOD, (2, (0, 0, 9, 9), 2), **fields)
    boxes = check_boxes(given, PATHS, lambda path: (40, 20))
    assert boxes.names == ("cat", "dog") and boxes.ids == (2, 3)
    assert boxes.labels.tolist() == [0, 0, 0, 1]


def test_another_format_than_said_is_an_error():
    # Corners, where width and height are expected.
    given = [
        (i % 3, (x, 3, x + x + 10, 3 + 18), 0)
        for i, x in enumerate(range(10, 28, 2))
    ]
    with pytest.raises(ValueError, match="in another format than said"):
        checked(*given)
    # Fractions, where pixels are expected.
    with pytest.raises(ValueError, match=r"in another format than said"):
        checked(*[(0, (0.1, 0.1, 0.4, 0.1 * i), 0) for i in range(2, 6)])


def test_images_that_cannot_be_read_take_their_boxes_along():
    boxes = checked(*GOOD, paths=["b.png", "c.png"])
    assert boxes.images.tolist() == [0, 0]


def test_classes_that_differ_from_those_of_the_training_are_named():
    *_, line = checked(*GOOD, names=("dog", "owl")).lines[:2]
    assert line == (
        "Classes: train.json also has 'cat' and lacks 'owl', unlike the "
        "training images; classes are matched by their names."
    )
    with pytest.raises(ValueError, match="other classes than the training"):
        checked(*GOOD, names=("owl",))
