"""PCK, against a second implementation and by hand."""

import math

import numpy as np
import pytest

from byol_tf.evaluation.keypoint_accuracy import (
    correct_keypoints,
    keypoint_distances,
)


def draw(seed):
    rng = np.random.default_rng(seed)
    targets = rng.random((30, 5, 2))
    targets[rng.random((30, 5)) < 0.3] = np.nan
    predictions = rng.random((30, 5, 2)) * 0.2 + np.nan_to_num(targets)
    return targets.reshape(30, 10), predictions.reshape(30, 10)


def counted(targets, predictions, alpha):
    """Visible points that are near enough, and all visible ones."""
    right = visible = 0
    for target, prediction in zip(targets, predictions, strict=True):
        for x in range(0, len(target), 2):
            if math.isnan(target[x]):
                continue
            visible += 1
            square = sum(
                (float(target[i]) - float(prediction[i])) ** 2
                for i in (x, x + 1)
            )
            right += math.sqrt(square) <= alpha
    return right, visible


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_equals_counting_point_by_point(seed, alpha):
    targets, predictions = draw(seed)
    right, visible = counted(targets, predictions, alpha)
    assert 0 < right < visible
    distances = keypoint_distances(targets, predictions)
    assert correct_keypoints(distances, alpha) == right / visible


def test_distances_by_hand():
    distances = keypoint_distances(
        np.array([[0.1, 0.1, np.nan, np.nan]]), np.array([[0.4, 0.5, 0, 0]])
    )
    np.testing.assert_allclose(distances, [[0.5, np.nan]], rtol=1e-15)


def test_a_point_at_the_very_distance_is_right():
    assert correct_keypoints(np.array([0.25, 0.5, np.nan]), 0.25) == 0.5


def test_a_prediction_that_is_not_finite_is_infinitely_far():
    targets = np.array([[0.5, 0.5, np.nan, np.nan]])
    distances = keypoint_distances(targets, np.full((1, 4), np.nan))
    np.testing.assert_array_equal(distances, [[np.inf, np.nan]])
    assert correct_keypoints(distances, 0.1) == 0


def test_no_visible_point_has_no_share():
    assert math.isnan(correct_keypoints(np.array([np.nan]), 0.1))


@pytest.mark.parametrize("shape", [(2, 4), (2, 3)])
def test_shapes_that_do_not_fit_are_an_error(shape):
    with pytest.raises(ValueError, match=r"must both be \[n, 2 \* points\]"):
        keypoint_distances(np.zeros((2, 3)), np.zeros(shape))
