"""Boxes and points as pixels of a picture."""

import numpy as np
import pytest
from PIL import ImageColor

from byol_tf.tasks.classification import Classification
from byol_tf.tasks.detection import Detection
from byol_tf.tasks.drawn import COLOURS, Mark, draw_marks
from byol_tf.tasks.keypoints import Keypoints

FIRST, SECOND = (ImageColor.getrgb(colour) for colour in COLOURS[:2])


def drawn(*marks):
    pixels = np.zeros((40, 60, 3), np.uint8)
    result = draw_marks(pixels, marks)
    assert not pixels.any() and result.shape == pixels.shape
    return result


def test_a_box_is_a_frame_two_pixels_wide():
    result = drawn(Mark((10, 5, 40, 30)))
    coloured = (result == FIRST).all(axis=-1)
    inner = np.zeros_like(coloured)
    inner[5:31, 10:41] = True
    inner[7:29, 12:39] = False
    assert (coloured == inner).all()


def test_a_point_of_little_confidence_is_a_ring():
    result = drawn(Mark((10, 20), kind=1), Mark((40, 20), "", 1, 0.1))
    assert (result[20, 10] == SECOND).all() and not result[20, 40].any()
    assert (result[20, 37] == SECOND).all()


def test_what_is_sure_lies_on_top_and_names_stay_inside():
    result = drawn(Mark((0, 0, 59, 39), "a name"), Mark((0, 0, 59, 39), "", 1))
    assert (result[39, 59] == FIRST).all()
    assert not (result == SECOND).all(axis=-1).any()
    assert (result[:10, :10] != FIRST).any(axis=-1).any()


def test_what_is_not_finite_or_outside_is_no_error():
    assert not drawn(Mark((np.nan, 3), "lost")).any()
    drawn(Mark((-50, 90), "outside"), Mark((-9, -9, 99, 99), "large"))


def test_points_are_in_pixels_of_the_whole_image():
    task = Keypoints(("ear_x", "ear_y"))
    rows = [{"ear_x": 0.5, "ear_y": 0.25, "ear_confidence": 0.2}]
    assert task.marks(rows, 40, 80) == [Mark((20, 20), "ear", 0, 0.2)]


def test_only_predicted_boxes_have_scores():
    corners = dict(zip(("x0", "y0", "x1", "y1"), (1, 2, 3, 4), strict=True))
    rows = [{"label": "cell", "score": s, **corners} for s in (1.0, 0.5)]
    marks = Detection(("cell",)).marks(rows, 8, 8)
    assert [mark.text for mark in marks] == ["cell", "cell 0.50"]


def test_a_class_has_no_place():
    with pytest.raises(ValueError, match="have no place to draw"):
        Classification(("cat", "dog")).marks([{}], 4, 4)
