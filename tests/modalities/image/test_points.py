"""Points move with the views of their images."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image.points import move_boxes, move_points
from byol_tf.modalities.image.view import View
from tests.support.reference_augment import OFF

SEED = np.array([3, 4], np.int32)
CROP = {**OFF, "area": (0.3, 0.8), "aspect": (0.75, 1.5), "flip": 0.5}


def blobs(height=40, width=60, batch=32):
    """Smooth blobs on black, and their centres in fractions."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0.1, 0.9, (batch, 2))
    y, x = np.indices((height, width)) + 0.5
    apart = (x - centres[:, :1, None] * width) ** 2
    apart = apart + (y - centres[:, 1:, None] * height) ** 2
    return np.float32(np.exp(-apart / 8.0))[..., None], np.float32(centres)


def test_a_view_is_its_box_and_flip():
    images = np.random.default_rng(0).random((16, 20, 30, 3), np.float32)
    views, where = View(24, **CROP).draw_with_where(images, SEED)
    sides = where["box"] * [20, 30, 20, 30]
    boxes = np.rint(sides).astype(int)
    np.testing.assert_allclose(sides, boxes, atol=1e-4)
    for image, view, box, flip in zip(
        images, views, boxes, where["flip"], strict=True
    ):
        top, left, height, width = box
        part = image[top : top + height, left : left + width]
        expected = tf.image.resize(part, (24, 24), "bicubic")
        expected = expected[:, ::-1] if flip else expected
        np.testing.assert_allclose(view, np.clip(expected, 0, 1), atol=1e-5)


def test_the_view_with_its_box_is_the_view_alone():
    images = np.random.default_rng(0).random((16, 20, 30, 3), np.float32)
    view = View(24, **CROP)
    views, _ = view.draw_with_where(images, SEED)
    np.testing.assert_array_equal(views, view.draw(images, SEED))


def test_points_follow_the_blob_that_they_mark():
    images, centres = blobs()
    views, where = View(48, **CROP).draw_with_where(images, SEED)
    moved = move_points(centres[:, None], where)[:, 0].numpy()
    y, x = (np.indices((48, 48)) + 0.5) / 48
    clear = ((moved > 0.2) & (moved < 0.8)).all(axis=1)
    assert clear.sum() > 8 and len(set(where["flip"].numpy()[clear])) == 2
    for view, point in zip(views.numpy()[clear], moved[clear], strict=True):
        weights = np.square(view[..., 0])
        found = [(weights * axis).sum() / weights.sum() for axis in (x, y)]
        np.testing.assert_allclose(point, found, atol=0.01)


def test_points_outside_of_the_view_and_unknown_ones_are_nan():
    where = {
        "box": tf.constant([[0.5, 0.5, 0.5, 0.5]] * 3),
        "flip": tf.constant([False, True, True]),
    }
    points = np.float32([[[0.75, 1.0]], [[0.6, 0.2]], [[np.nan, np.nan]]])
    np.testing.assert_array_equal(
        move_points(points, where),
        [[[0.5, 1.0]], [[np.nan] * 2], [[np.nan] * 2]],
    )


def test_points_and_boxes_follow_turned_blobs():
    images, centres = blobs(60, 60)
    view = View(60, **{**CROP, "aspect": (1, 1), "rotate": 20.0})
    views, where = view.draw_with_where(images, SEED)
    moved = move_points(centres[:, None], where)[:, 0].numpy()
    half = np.float32(0.02)
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    boxes = move_boxes(boxes[:, None], where)[:, 0].numpy()
    y, x = (np.indices((60, 60)) + 0.5) / 60
    # Beyond lies the mirror image of what is turned.
    clear = ((moved > 0.25) & (moved < 0.75)).all(axis=1)
    assert clear.sum() > 3
    assert np.ptp(where["angle"]) > 10
    for view, point, box in zip(
        views.numpy()[clear], moved[clear], boxes[clear], strict=True
    ):
        weights = np.square(view[..., 0])
        found = [(weights * axis).sum() / weights.sum() for axis in (x, y)]
        np.testing.assert_allclose(point, found, atol=0.01)
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, found, atol=0.01)


def test_a_turned_view_that_is_not_square_moves_nothing():
    with pytest.raises(ValueError, match="only in square views"):
        View((8, 9), rotate=10.0).draw_with_where(
            np.zeros((1, 8, 9, 3), np.uint8), SEED
        )


def test_boxes_are_cut_at_the_border_and_lost_beyond():
    where = {
        "box": tf.constant([[0.0, 0.5, 1.0, 0.5]] * 2),
        "flip": tf.constant([False, True]),
    }
    boxes = np.float32(
        [
            [0.6, 0.2, 0.7, 0.4],  # inside
            [0.4, 0.2, 0.6, 0.4],  # half of it
            [0.1, 0.2, 0.55, 0.4],  # a ninth
            [np.nan] * 4,
        ]
    )
    moved = move_boxes(np.stack([boxes, boxes]), where).numpy()
    np.testing.assert_allclose(
        moved[0, :2], [[0.2, 0.2, 0.4, 0.4], [0, 0.2, 0.2, 0.4]], atol=1e-6
    )
    np.testing.assert_allclose(
        moved[1, :2], [[0.6, 0.2, 0.8, 0.4], [0.8, 0.2, 1, 0.4]], atol=1e-6
    )
    assert np.isnan(moved[:, 2:]).all()
