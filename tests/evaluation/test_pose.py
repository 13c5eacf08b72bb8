"""Errors of poses, by hand."""

import numpy as np
import pytest

from byol_tf.evaluation.pose import (
    add_error,
    add_s_error,
    diameter,
    right_poses,
)

SQUARE = np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]], float)
SAME = np.eye(3), np.zeros(3)
QUARTER = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float), np.zeros(3)


def test_add_is_the_mean_distance_of_the_same_points():
    assert add_error(*SAME, *SAME, SQUARE) == 0
    moved = np.eye(3), np.array([3.0, 4.0, 0.0])
    assert add_error(*moved, *SAME, SQUARE) == pytest.approx(5)
    assert add_error(*QUARTER, *SAME, SQUARE) == pytest.approx(2)


def test_add_s_forgives_a_turn_onto_itself():
    assert add_s_error(*QUARTER, *SAME, SQUARE) == pytest.approx(0, abs=1e-12)
    half = np.eye(3), np.array([1.0, 0.0, 0.0])
    assert add_s_error(*half, *SAME, SQUARE) == pytest.approx(1)


def test_a_pose_is_right_below_a_tenth_of_the_diameter():
    assert diameter(SQUARE) == pytest.approx(8**0.5)
    assert right_poses([0.1, 0.27, 0.3, np.nan], diameter(SQUARE)) == 0.5
