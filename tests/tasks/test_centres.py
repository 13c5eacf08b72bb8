"""Heatmaps of centres and their losses, against sums by hand."""

import numpy as np
import tensorflow as tf

from byol_tf.tasks.centres import (
    box_loss,
    focal_loss,
    gaussians,
    giou,
    of_classes,
)

BOXES = np.float32([[[0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.4, 0.4], [0] * 4]])
VALID = np.array([[True, True, False]])


def test_a_bell_is_one_at_the_centre_and_zero_beyond_the_middle():
    near = gaussians(BOXES, VALID, 20, 20).numpy()[0]
    # 8 cells wide: a radius of floor(0.54 * 4) = 2, a deviation of 5 / 6.
    expected = np.exp(-0.5 * (np.arange(-2, 3) / (5 / 6)) ** 2)
    np.testing.assert_allclose(
        near[0, 6:11, 4:9], np.outer(expected, expected), rtol=1e-5
    )
    near[0, 6:11, 4:9] = 0
    assert not near[0].any()
    # 2 cells wide: the cell of the centre alone.
    assert np.argwhere(near[1]).tolist() == [[7, 7]] and near[1, 7, 7] == 1
    assert not near[2].any()


def test_classes_have_the_largest_of_their_bells():
    near = gaussians(BOXES, VALID, 20, 20)
    maps = of_classes(near, tf.constant([[2, 0, -1]]), 3).numpy()[0]
    np.testing.assert_array_equal(maps[..., 2], near[0, 0])
    np.testing.assert_array_equal(maps[..., 0], near[0, 1])
    assert not maps[..., 1].any()
    both = of_classes(near, tf.constant([[1, 1, -1]]), 3).numpy()[0, ..., 1]
    np.testing.assert_array_equal(both, np.maximum(near[0, 0], near[0, 1]))


def test_the_focal_loss_is_that_of_cornernet():
    rng = np.random.default_rng(0)
    wanted = rng.random((2, 3, 3, 2))
    wanted[0, 1, 1, 0] = wanted[1, 0, 2, 1] = 1
    logits = rng.normal(size=wanted.shape)
    p = 1 / (1 + np.exp(-logits))
    expected = np.where(
        wanted == 1,
        -((1 - p) ** 2) * np.log(p),
        -((1 - wanted) ** 4) * p**2 * np.log(1 - p),
    )
    np.testing.assert_allclose(
        focal_loss(tf.constant(wanted), tf.constant(logits)),
        expected.sum(axis=(1, 2, 3)),
    )


def test_generalised_overlap_by_hand():
    one = tf.constant([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 1, 1]])
    other = tf.constant([[1.0, 1, 3, 3], [0, 0, 1, 1], [2, 0, 3, 1]])
    # 1 of 7 in a hull of 9; the same; apart by as much as they are wide.
    expected = [1 / 7 - 2 / 9, 1, -1 / 3]
    np.testing.assert_allclose(giou(one, other), expected, rtol=1e-6)


def test_a_cell_learns_the_smallest_box_around_it():
    near = gaussians(BOXES, VALID, 20, 20)
    right = np.zeros((1, 20, 20, 4), np.float32)
    right[:] = BOXES[0, 0]
    right[0, 7, 7] = BOXES[0, 1]
    loss = box_loss(tf.constant(BOXES), near, tf.constant(right))
    np.testing.assert_allclose(loss, [0], atol=1e-6)
    # Each box weighs one, however many cells it has.
    right[0, 7, 7] = BOXES[0, 0]
    inside = float(giou(BOXES[0, 1], BOXES[0, 0]))
    loss = box_loss(tf.constant(BOXES), near, tf.constant(right))
    np.testing.assert_allclose(loss, [1 - inside], rtol=1e-5)
