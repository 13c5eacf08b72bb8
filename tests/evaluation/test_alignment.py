"""byol_tf.evaluation.alignment and byol_tf.jobs.tune.label_free."""

import math

import numpy as np
import pytest

from byol_tf.evaluation.alignment import alignment, uniformity
from byol_tf.jobs.tune.label_free import label_free_metrics


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_alignment_is_two_minus_twice_the_mean_cosine():
    first, second = gaussian(50, 8), gaussian(50, 8, seed=1)
    lengths = [np.linalg.norm(side, axis=1) for side in (first, second)]
    cosines = np.sum(first * second, 1) / np.prod(lengths, axis=0)
    assert alignment(first, second) == pytest.approx(2 - 2 * cosines.mean())


def test_alignment_has_its_limits():
    vectors = gaussian(20, 4)
    assert alignment(vectors, 3 * vectors) == pytest.approx(0, abs=1e-12)
    assert alignment(vectors, -vectors) == pytest.approx(4)


def test_uniformity_goes_over_all_pairs():
    vectors = gaussian(12, 3)
    unit = [row / math.sqrt(sum(row**2)) for row in vectors]
    kernels = [
        math.exp(-3 * sum((unit[i] - unit[j]) ** 2))
        for i in range(12)
        for j in range(i)
    ]
    expected = math.log(sum(kernels) / len(kernels))
    assert uniformity(vectors, t=3) == pytest.approx(expected, rel=1e-9)


def test_uniformity_has_its_limits():
    assert uniformity(np.ones((5, 4))) == pytest.approx(0, abs=1e-12)
    assert uniformity(np.array([[1.0, 0], [-2, 0]])) == pytest.approx(-8)
    assert uniformity(gaussian(300, 500)) == pytest.approx(-4, abs=0.05)


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: alignment(gaussian(3, 2), gaussian(3, 4)), "same shape"),
        (lambda: alignment(gaussian(4), gaussian(4)), r"`first`.*\(4,\)"),
        (lambda: uniformity(gaussian(1, 4)), "at least 2 rows"),
    ],
)
def test_wrong_shapes_are_an_error(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_the_score_rewards_rank_alignment_and_uniformity():
    spread = gaussian(400, 16)
    near = spread + 0.1 * gaussian(400, 16, seed=1)
    far = spread + 3 * gaussian(400, 16, seed=2)
    flat = spread * ([1.0] * 4 + [0.0] * 12)
    shifted = spread + 3
    best = label_free_metrics(spread, spread, near)
    assert best["score"] == pytest.approx(
        math.log(best["effective_rank"]) - best["alignment"]
        - best["uniformity"]
    )  # fmt: skip
    for worse in (
        label_free_metrics(spread, spread, far),
        label_free_metrics(flat, spread, near),
        label_free_metrics(shifted, spread, near),
    ):
        assert worse["score"] < best["score"] - 0.5


def test_the_score_of_a_collapse_is_low_and_that_of_nan_is_nan():
    constant = np.ones((10, 4))
    assert label_free_metrics(constant, constant, constant)["score"] == (
        pytest.approx(0, abs=1e-9)
    )
    broken = gaussian(10, 4)
    broken[2, 1] = np.nan
    numbers = label_free_metrics(broken, broken, broken)
    assert all(map(math.isnan, numbers.values()))
