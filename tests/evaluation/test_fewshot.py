"""byol_tf.evaluation.fewshot."""

import numpy as np
import pytest

from byol_tf.data.split import balanced_subset
from byol_tf.evaluation.fewshot import few_shot_accuracy
from byol_tf.evaluation.linear import ridge_classifier


def blobs(count, seed, noise=1.5, classes=4, dim=16):
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    labels = generator.integers(0, classes, count)
    noise = noise * generator.normal(size=(count, dim))
    return centres[labels] + noise, labels


def test_each_draw_is_the_classifier_of_its_subset():
    train, train_labels = blobs(300, seed=0)
    test, test_labels = blobs(200, seed=1)
    result = few_shot_accuracy(
        train,
        train_labels,
        test,
        test_labels,
        num_classes=4,
        per_class=6,
        draws=3,
        seed=10,
    )
    expected = []
    for seed in (10, 11, 12):
        chosen = balanced_subset(train_labels, 6, seed)
        classifier = ridge_classifier(train[chosen], train_labels[chosen], 4)
        expected.append(classifier.accuracy(test, test_labels))
    assert result.accuracies == tuple(expected)
    assert result.mean == pytest.approx(np.mean(expected), abs=1e-12)
    assert result.std == pytest.approx(np.std(expected, ddof=1), abs=1e-12)
    assert len(set(expected)) > 1


def test_unlabelled_examples_are_left_out():
    train, train_labels = blobs(300, seed=0, noise=0.1)
    test, test_labels = blobs(50, seed=1, noise=0.1)
    train_labels = np.where(np.arange(300) % 2, train_labels, -1)
    train[train_labels < 0] = np.nan
    result = few_shot_accuracy(
        train, train_labels, test, test_labels, num_classes=4, draws=1
    )
    assert (result.mean, result.std) == (1.0, 0.0)


def test_no_draws_is_an_error():
    features, labels = blobs(20, seed=0)
    with pytest.raises(ValueError, match="draws=0"):
        few_shot_accuracy(
            features, labels, features, labels, num_classes=4, draws=0
        )
