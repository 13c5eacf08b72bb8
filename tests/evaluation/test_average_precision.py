"""Average precision, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from byol_tf.evaluation.average_precision import (
    average_precision,
    average_precisions,
)


@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_equals_sklearn_also_with_ties(levels, seed):
    rng = np.random.default_rng(seed)
    targets = (rng.random(60) < 0.3).astype(np.float32)
    targets[0] = 1
    scores = rng.integers(0, levels, 60) / levels
    expected = average_precision_score(targets, scores)
    assert average_precision(targets, scores) == pytest.approx(
        expected, abs=1e-12
    )


def test_by_hand():
    # Right at the first and third of three thresholds: (1/1 + 2/3) / 2.
    assert average_precision([1, 0, 1], [0.9, 0.8, 0.7]) == pytest.approx(5 / 6)
    # All scores equal: the share of positives.
    assert average_precision([1, 0, 0, 0], np.ones(4)) == 0.25


def test_no_positive_has_no_precision():
    assert np.isnan(average_precision([0, 0], [0.1, 0.2]))
    assert np.isnan(average_precision([], []))


def test_columns_are_taken_over_what_is_known_of_each():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (40, 3)).astype(np.float32)
    scores = rng.random((40, 3)).astype(np.float32)
    targets[rng.random((40, 3)) < 0.3] = np.nan
    targets[:, 2] = np.where(targets[:, 2] == 1, np.nan, targets[:, 2])
    result = average_precisions(targets, scores)
    for i in range(2):
        known = ~np.isnan(targets[:, i])
        expected = average_precision_score(targets[known, i], scores[known, i])
        assert result[i] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(result[2])


@pytest.mark.parametrize(
    ("targets", "scores"),
    [([0, 1], [0.5]), ([0, 2], [0.1, 0.2]), ([0, 1], [0.1, np.nan])],
)
def test_arguments_that_do_not_fit_are_an_error(targets, scores):
    with pytest.raises(ValueError, match="`scores`"):
        average_precision(targets, scores)
