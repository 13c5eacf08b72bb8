"""byol_tf.evaluation.fewshot."""

import numpy as np
import pytest

from byol_tf.evaluation.fewshot import balanced_subset, few_shot_accuracy
from byol_tf.evaluation.linear import ridge_classifier


def blobs(count, seed, noise=1.5, classes=4, dim=16):
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    labels = generator.integers(0, classes, count)
    noise = noise * generator.normal(size=(count, dim))
    return centres[labels] + noise, labels


def test_subset_is_balanced_and_without_repetition():
    labels = np.random.default_rng(0).integers(-1, 5, 400)
    chosen = balanced_subset(labels, 12, seed=3)
    assert len(set(chosen)) == 60
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [12] * 5)


def test_subset_depends_on_the_seed_alone():
    labels = np.arange(400) % 5
    first = balanced_subset(labels, 12, seed=3)
    np.testing.assert_array_equal(first, balanced_subset(labels, 12, seed=3))
    assert set(first) != set(balanced_subset(labels, 12, seed=4))


def test_every_example_can_be_drawn():
    labels = np.arange(40) % 2
    drawn = [balanced_subset(labels, 5, seed) for seed in range(100)]
    assert set(np.concatenate(drawn)) == set(range(40))


def test_class_with_too_few_examples_is_named():
    labels = np.array([0, 0, 0, 7, 7, 1, 1, 1])
    with pytest.raises(ValueError, match=r"at most 2.*class 7.*per_class=3"):
        balanced_subset(labels, 3, seed=0)


def test_no_labels_is_an_error():
    with pytest.raises(ValueError, match="3 examples, none with a label"):
        balanced_subset(np.array([-1, -1, -1]), 1, seed=0)


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
