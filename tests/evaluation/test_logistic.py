"""Logistic regression equals scikit-learn's and is where the gradient is 0."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from byol_tf.data.split import holdout_mask
from byol_tf.evaluation.logistic import choose_logistic, logistic_classifiers


def problem(classes, count=600, dim=12, seed=0):
    """Overlapping classes, with units of different scale and a dead one."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    centres = rng.normal(size=(classes, dim))
    features = rng.normal(size=(count, dim)) + 0.7 * centres[labels]
    features = features * 10.0 ** rng.uniform(-2, 2, dim) + 3
    features[:, 4] = 0.25
    return features.astype(np.float32), labels


def fit(features, labels, classes, penalty):
    (classifier,) = logistic_classifiers(
        features, labels, num_classes=classes, penalties=[penalty]
    )
    return classifier


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("penalty", [1e-1, 1e-3])
def test_accuracy_equals_scikit_learns_on_the_same_features(classes, penalty):
    features, labels = problem(classes)
    train, test = slice(0, 400), slice(400, None)
    reference = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=1 / (penalty * 400), solver="newton-cg", tol=1e-8, max_iter=1000
        ),
    ).fit(features[train].astype(np.float64), labels[train])
    ours = fit(features[train], labels[train], classes, penalty)
    expected = reference.score(features[test].astype(np.float64), labels[test])
    assert ours.accuracy(features[test], labels[test]) == pytest.approx(
        expected,
        abs=1.01 / 200,  # one example
    )
    agreed = ours.predict(features) == reference.predict(features)
    assert agreed.mean() > 0.99


def test_the_gradient_of_the_stated_objective_vanishes():
    features, labels = problem(4)
    penalty = 0.01
    ours = fit(features, labels, 4, penalty)
    scale = features.std(axis=0)
    scale[4] = 1
    scaled = (features - features.mean(axis=0)) / scale
    slope = softmax(ours.scores(features), axis=1) - np.eye(4)[labels]
    gradient = scaled.T @ slope / len(labels)
    gradient += penalty * ours.weights * scale[:, None]
    assert np.abs(gradient).max() < 1e-3
    assert np.abs(slope.mean(axis=0)).max() < 1e-3
    # The same at no weights at all is far from it.
    start = scaled.T @ (0.25 - np.eye(4)[labels]) / len(labels)
    assert np.abs(start).max() > 0.05


def test_a_class_without_examples_is_never_predicted():
    features, labels = problem(3)
    labels[labels == 1] = 3
    ours = fit(features, labels, 5, 0.01)
    assert set(ours.predict(features)) == {0, 2, 3}


def test_the_chosen_penalty_is_refitted_on_all_examples():
    features, labels = problem(5, count=300)
    held_out = holdout_mask(labels, 0.2, seed=0)
    choice = choose_logistic(
        features, labels, held_out, num_classes=5, penalties=(1e-4, 1.0, 1e-2)
    )
    assert list(choice.accuracies) == [1.0, 1e-2, 1e-4]
    assert choice.accuracies[choice.value] == max(choice.accuracies.values())
    again = fit(features, labels, 5, choice.value)
    np.testing.assert_array_equal(choice.classifier.weights, again.weights)


def test_the_search_ends_after_three_penalties_that_are_no_better():
    features, labels = problem(3, count=300)
    held_out = holdout_mask(labels, 0.2, seed=0)
    penalties = [10.0**-power for power in range(-2, 9)]
    choice = choose_logistic(
        features, labels, held_out, num_classes=3, penalties=penalties
    )
    tried = list(choice.accuracies)
    assert tried == penalties[: len(tried)] and len(tried) < len(penalties)
    assert tried.index(choice.value) == len(tried) - 4


@pytest.mark.parametrize("penalties", [(), (0.0,), (-1.0, 1.0)])
def test_penalties_that_are_none_are_refused(penalties):
    features, labels = problem(2)
    with pytest.raises(ValueError, match="penalties"):
        list(
            logistic_classifiers(
                features, labels, num_classes=2, penalties=penalties
            )
        )
