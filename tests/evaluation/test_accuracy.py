"""Hits and their bootstrap interval, against closed forms and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import top_k_accuracy_score

from byol_tf.evaluation.accuracy import (
    bootstrap_interval,
    difference,
    top_k_hits,
)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_agrees_with_scikit_learn(k):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(200, 7)), rng.integers(0, 7, 200)
    expected = top_k_accuracy_score(labels, scores, k=k, labels=range(7))
    assert top_k_hits(scores, labels, k).mean() == expected


def test_equal_scores_count_for_the_smaller_class_as_in_argmax():
    scores = np.zeros((4, 4))
    assert top_k_hits(scores, np.arange(4), 2).tolist() == [True, True, 0, 0]


def test_k_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match=r"between 1 and .* 3.*k=4"):
        top_k_hits(np.zeros((1, 3)), np.zeros(1, int), 4)


@pytest.mark.parametrize("hits", [800, 970])
def test_the_interval_of_an_accuracy_is_the_binomial_one(hits):
    values = np.arange(1000) < hits
    low, high = bootstrap_interval(values, resamples=4000)
    # Resampled hits are binomial; 4000 of them find its quantiles to within a
    # few percent of its deviation.
    assert 1000 * low == pytest.approx(
        binom.ppf(0.025, 1000, hits / 1000), abs=2
    )
    assert 1000 * high == pytest.approx(
        binom.ppf(0.975, 1000, hits / 1000), abs=2
    )


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        values = rng.random(300) < 0.7
        low, high = bootstrap_interval(
            values, resamples=400, level=0.9, seed=trial
        )
        covered += low <= 0.7 <= high
    # 300 trials at 0.9: four standard deviations are 21.
    assert 270 - 21 <= covered <= 270 + 21


def test_paired_differences_have_a_narrower_interval_than_their_parts():
    rng = np.random.default_rng(2)
    first = rng.random(2000) < 0.8
    second = first & (rng.random(2000) < 0.97)
    low, high = bootstrap_interval(first.astype(float) - second)
    own_low, own_high = bootstrap_interval(first)
    assert 0 < low < np.mean(first) - np.mean(second) < high
    assert high - low < 0.7 * (own_high - own_low)


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(50) % 3 == 0
    first = bootstrap_interval(values, seed=1)
    assert first == bootstrap_interval(values, seed=1)
    assert first != bootstrap_interval(values, seed=2)


@pytest.mark.parametrize(
    "values,options",
    [([], {}), ([[1.0]], {}), ([1.0], {"level": 1.0}),
     ([1.0], {"resamples": 0})],
)  # fmt: skip
def test_impossible_arguments_are_refused(values, options):
    with pytest.raises(ValueError, match="Received"):
        bootstrap_interval(np.array(values), **options)


def test_the_interval_holds_the_difference_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = rng.binomial(60, (0.5, 0.3), size=(2000, 2)) / 60
    inside = 0
    for ours, theirs in draws:
        _, low, high = difference(ours, theirs, 60)
        inside += low <= 0.2 <= high
    assert 0.93 <= inside / len(draws) <= 0.98
