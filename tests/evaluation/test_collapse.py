"""byol_tf.evaluation.collapse."""

import math

import numpy as np
import pytest

from byol_tf.evaluation.collapse import (
    collapse_statistics,
    diagnose,
    milder_views,
)


def gaussian(count, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim))


def rank_limited(count, dim, rank, seed=0):
    """Exactly equal singular values along `rank` random directions."""
    left = np.linalg.qr(gaussian(count, rank, seed))[0]
    left = np.linalg.qr(left - left.mean(axis=0))[0]
    right = np.linalg.qr(gaussian(dim, rank, seed + 1))[0]
    return left @ right.T


def test_sphere_has_feature_std_one():
    statistics = collapse_statistics(gaussian(4000, 64))
    assert statistics["feature_std"] == pytest.approx(1.0, abs=0.003)


def test_half_normal_features_have_the_documented_feature_std():
    features = np.maximum(gaussian(1500, 400), 0)
    statistics = collapse_statistics(features)
    assert statistics["feature_std"] == pytest.approx(
        math.sqrt(1 - 1 / math.pi), abs=0.003
    )


def test_feature_std_ignores_the_length_of_the_vectors():
    features = gaussian(100, 8)
    lengths = np.exp(gaussian(100, 1, seed=1))
    assert collapse_statistics(features * lengths)[
        "feature_std"
    ] == pytest.approx(collapse_statistics(features)["feature_std"], rel=1e-12)


def test_constant_has_neither_deviation_nor_rank():
    constant = np.tile(np.float32(gaussian(1, 32)), (100, 1))
    statistics = collapse_statistics(constant)
    assert statistics["feature_std"] < 1e-6
    assert statistics["effective_rank"] == 0.0
    assert statistics["dead_units"] == 1.0


@pytest.mark.parametrize("rank", [1, 5, 20])
@pytest.mark.parametrize("dim", [40, 300])
def test_effective_rank_counts_equal_directions(rank, dim):
    features = rank_limited(100, dim, rank) + 3
    statistics = collapse_statistics(features)
    assert statistics["effective_rank"] == pytest.approx(rank, rel=1e-6)
    assert statistics["effective_rank_ratio"] == pytest.approx(
        rank / min(99, dim), rel=1e-6
    )


def test_effective_rank_is_the_entropy_of_the_singular_values():
    features = gaussian(50, 20) * np.arange(1, 21)
    singular = np.linalg.svd(features - features.mean(0), compute_uv=False)
    shares = singular / singular.sum()
    expected = np.prod(shares**-shares)
    statistics = collapse_statistics(features)
    assert statistics["effective_rank"] == pytest.approx(expected, rel=1e-9)


def test_dead_units_are_counted():
    features = gaussian(100, 8)
    features[:, 2] = 0.0
    features[:, 5] = 0.1
    assert collapse_statistics(features)["dead_units"] == 0.25


def test_agreement_is_the_mean_cosine():
    online = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    target = np.array([[5.0, 0.0], [0.0, -1.0], [1.0, 1.0]])
    statistics = collapse_statistics(gaussian(10, 4), online, target)
    expected = (1 - 1 + math.sqrt(0.5)) / 3
    assert statistics["agreement"] == pytest.approx(expected, abs=1e-12)


def test_projection_std_is_that_of_the_target():
    constant = np.ones((500, 16))
    statistics = collapse_statistics(
        gaussian(10, 4), constant, gaussian(500, 16)
    )
    assert statistics["projection_std"] == pytest.approx(1.0, abs=0.02)


def test_all_statistics_are_floats():
    statistics = collapse_statistics(
        np.float32(gaussian(10, 4)), gaussian(10, 4), gaussian(10, 4)
    )
    assert {type(value) for value in statistics.values()} == {float}


def test_nan_gives_nan_under_the_same_names():
    broken = gaussian(10, 4)
    broken[3, 2] = np.inf
    statistics = collapse_statistics(broken, broken, broken)
    assert all(math.isnan(value) for value in statistics.values())
    whole = collapse_statistics(*[gaussian(10, 4)] * 3)
    assert statistics.keys() == whole.keys()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([np.ones((1, 4))], "at least 2 rows"),
        ([np.ones(4)], r"shape=\(4,\)"),
        ([np.ones((4, 4)), np.ones((4, 4))], "together"),
        ([np.ones((4, 4)), np.ones((4, 4)), np.ones((4, 3))], "same shape"),
    ],
)
def test_bad_shapes_are_an_error(arguments, match):
    with pytest.raises(ValueError, match=match):
        collapse_statistics(*arguments)


def test_healthy_representation_has_no_diagnosis():
    features = np.maximum(gaussian(300, 64), 0)
    statistics = collapse_statistics(features, features, features)
    assert diagnose(statistics, loss=0.3) is None


def test_constant_plus_rounding_is_a_complete_collapse():
    features = 1 + 0.004 * gaussian(300, 64)
    found = diagnose(collapse_statistics(features))
    assert found.name == "complete_collapse"
    assert "feature_std is 0.00" in found.advice
    assert "predictor" in found.advice and "tau" in found.advice


def test_constant_projections_are_a_complete_collapse():
    features, constant = gaussian(300, 64), 1 + 0.05 * gaussian(300, 16)
    found = diagnose(collapse_statistics(features, constant, constant))
    assert found.name == "complete_collapse"
    assert "projection_std is 0.0" in found.advice


def test_narrow_projections_of_networks_that_disagree_are_none():
    features, constant = gaussian(300, 64), 1 + 0.05 * gaussian(300, 16)
    others = gaussian(300, 16, seed=1)
    assert diagnose(collapse_statistics(features, others, constant)) is None


@pytest.mark.parametrize(("dim", "rank"), [(64, 1), (500, 4)])
def test_few_directions_are_a_dimensional_collapse(dim, rank):
    features = 0.1 + rank_limited(600, dim, rank)
    found = diagnose(collapse_statistics(features))
    assert found.name == "dimensional_collapse"
    assert "augmentation, so" in found.advice


def test_the_field_that_makes_views_stronger_is_advised():
    found = diagnose({"effective_rank": 1.0}, stronger="text.drop")
    assert "the augmentation (text.drop), so" in found.advice


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_loss_that_is_not_finite_comes_first(loss):
    found = diagnose(collapse_statistics(np.ones((10, 4))), loss=loss)
    assert found.name == "not_finite"
    assert found.advice.startswith("loss is NaN or infinite")
    assert "learning rate" in found.advice


def test_loss_alone_can_be_diagnosed():
    assert diagnose({}, loss=2.0) is None
    assert diagnose({}, loss=math.nan).name == "not_finite"


def test_limits_are_arguments():
    statistics = {"feature_std": 0.5, "effective_rank": 10.0}
    assert diagnose(statistics) is None
    assert diagnose(statistics, min_std=0.6).name == "complete_collapse"
    assert diagnose(statistics, min_rank=11).name == "dimensional_collapse"


@pytest.mark.parametrize(
    "settings, advice",
    [
        ({"hue": 0.1, "area": (0.08, 1.0)}, "(hue=0.02, area=0.3,1.0)"),
        ({"hue": 0.02, "area": (0.2, 1.0)}, "(area=0.3,1.0)"),
        ({"hue": 0.0, "area": (0.5, 1.0)}, "change less"),
    ],
)
def test_settings_that_are_mild_already_are_not_advised(settings, advice):
    entries = (("hue", 0.02, 0), ("area", (0.3, 1.0), 1))
    text = milder_views(settings, entries)
    assert text.endswith(advice)
