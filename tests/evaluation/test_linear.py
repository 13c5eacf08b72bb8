"""byol_tf.evaluation.linear."""

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from byol_tf.evaluation.linear import RidgePath, ridge_classifier


def problem(count, dim, classes=4, seed=0, noise=1.0):
    """Blobs on axes of very different scale, away from the origin."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = generator.normal(size=(classes, dim))[labels]
    features += noise * generator.normal(size=(count, dim))
    features *= np.exp(np.linspace(-3, 3, dim))
    return (features + 5).astype(np.float32), labels


SIZES = [(120, 10), (30, 50), (40, 40)]


@pytest.mark.parametrize(("count", "dim"), SIZES)
@pytest.mark.parametrize("alpha", [0.01, 10.0, 1e4])
def test_equals_sklearn_ridge_on_standardised_features(count, dim, alpha):
    features, labels = problem(count, dim)
    classifier = ridge_classifier(features, labels, 4, alphas=[alpha])
    scaler = StandardScaler().fit(features.astype(np.float64))
    ridge = Ridge(alpha, solver="svd", tol=0)
    ridge.fit(scaler.transform(features), np.eye(4)[labels])
    new, _ = problem(20, dim, seed=1)
    np.testing.assert_allclose(
        classifier.scores(new), ridge.predict(scaler.transform(new)), atol=2e-4
    )
    assert classifier.alpha == alpha


@pytest.mark.parametrize(("count", "dim"), SIZES)
@pytest.mark.parametrize("alpha", [0.1, 30.0])
def test_loo_residuals_equal_fits_without_each_example(count, dim, alpha):
    features, labels = problem(count, dim)
    features = StandardScaler().fit_transform(features.astype(np.float64))
    targets = np.eye(4)[labels]
    brute_force = np.empty_like(targets)
    for left_out in range(count):
        rest = np.arange(count) != left_out
        ridge = Ridge(alpha, solver="svd", tol=0)
        ridge.fit(features[rest], targets[rest])
        predicted = ridge.predict(features[left_out : left_out + 1])[0]
        brute_force[left_out] = targets[left_out] - predicted
    np.testing.assert_allclose(
        RidgePath(features, targets).loo_residuals(alpha),
        brute_force,
        rtol=1e-7,
        atol=1e-9,
    )


def test_the_penalty_with_the_smallest_loo_error_is_taken():
    features, labels = problem(60, 80, noise=3.0)
    alphas = [0.1, 1.0, 10.0, 100.0, 1e3, 1e4]
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    path = RidgePath(scaled, np.eye(4)[labels])
    errors = [np.sum(path.loo_residuals(alpha) ** 2) for alpha in alphas]
    chosen = ridge_classifier(features, labels, 4, alphas=alphas).alpha
    assert chosen == alphas[int(np.argmin(errors))]
    assert alphas[0] < chosen < alphas[-1]


@pytest.mark.parametrize(("count", "dim"), [(40, 200), (400, 20)])
def test_separated_classes_are_told_apart(count, dim):
    features, labels = problem(count + 40, dim, noise=0.3)
    classifier = ridge_classifier(features[:count], labels[:count], 4)
    assert classifier.accuracy(features[count:], labels[count:]) == 1.0
    np.testing.assert_array_equal(
        classifier.predict(features[count:]), labels[count:]
    )


def test_noise_takes_a_strong_penalty():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(100, 200))
    classifier = ridge_classifier(features, np.arange(100) % 4, 4)
    assert classifier.alpha >= 1e3


def test_scale_and_offset_of_a_unit_do_not_matter():
    features, labels = problem(60, 10)
    moved = features * np.float32(2.0) ** np.arange(10) + 3
    np.testing.assert_allclose(
        ridge_classifier(moved, labels, 4).scores(moved),
        ridge_classifier(features, labels, 4).scores(features),
        atol=1e-4,
    )


def test_constant_units_get_no_weight():
    features, labels = problem(60, 10)
    features[:, 3] = 0.1
    features[:, 5] = 0.0
    weights = ridge_classifier(features, labels, 4).weights
    np.testing.assert_array_equal(weights[[3, 5]], 0)
    assert np.abs(weights).sum() > 0


def test_class_without_examples_is_never_predicted():
    features, labels = problem(60, 10)
    classifier = ridge_classifier(features, labels, 6)
    assert classifier.weights.shape == (10, 6)
    assert set(classifier.predict(features)) <= {0, 1, 2, 3}


def test_collapsed_features_predict_one_class():
    labels = np.array([0, 1, 1, 2])
    classifier = ridge_classifier(np.ones((4, 3)), labels, 3)
    np.testing.assert_array_equal(classifier.predict(np.ones((2, 3))), [1, 1])


@pytest.mark.parametrize(
    ("features", "labels", "match"),
    [
        (np.ones((4, 3)), [0, 1, 1], "one label for each row"),
        (np.full((4, 3), np.nan), [0, 1, 0, 1], "finite"),
        (np.ones((4, 3)), [0, 1, -1, 1], "leave out"),
        (np.ones((4, 3)), [0, 1, 7, 1], r"\[0, 3\)"),
        (np.ones((4, 3)), [1, 1, 1, 1], "two classes"),
    ],
)
def test_bad_input_is_an_error(features, labels, match):
    with pytest.raises(ValueError, match=match):
        ridge_classifier(features, labels, 3)


@pytest.mark.parametrize("alphas", [[], [0.0, 1.0]])
def test_bad_penalties_are_an_error(alphas):
    features, labels = problem(20, 3)
    with pytest.raises(ValueError, match="positive"):
        ridge_classifier(features, labels, 4, alphas=alphas)


def test_many_rows_and_classes_are_never_a_matrix_of_float64():
    rows, classes = 100_000, 100
    labels = np.arange(rows) % classes
    features = np.random.default_rng(0).random((rows, 8), np.float32)
    tracemalloc.start()
    try:
        ridge_classifier(features, labels, classes, (1.0, 10.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One byte for each target, and the features a few times in float64.
    assert peak < rows * (classes + 6 * 8 * 8) < rows * classes * 8


def test_blocks_of_rows_give_what_one_gives(monkeypatch):
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(90, 6)), rng.integers(0, 4, 90)
    whole = ridge_classifier(features, labels, 4)
    monkeypatch.setattr("byol_tf.evaluation.linear._BLOCK", 7)
    blocks = ridge_classifier(features, labels, 4)
    assert blocks.alpha == whole.alpha
    np.testing.assert_allclose(blocks.weights, whole.weights, rtol=1e-6)
