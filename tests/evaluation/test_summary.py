"""byol_tf.evaluation.summary."""

import numpy as np
import pytest

from byol_tf.evaluation import summary
from byol_tf.evaluation.knn import knn_predict
from byol_tf.evaluation.linear import ridge_classifier

PROTOCOL = summary.Protocol(3, 0.07, 5000, 2, 2, 5000, 0)


def data(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    points = np.eye(3, 5)[labels] + rng.normal(0, 0.5, (count, 5))
    return points.astype(np.float32), labels


def judged(train, test):
    return summary.summarize(*train, *test, num_classes=3, protocol=PROTOCOL)


def test_many_test_examples_are_judged_by_the_training_examples():
    train, test = data(60, 0), data(summary.MIN_TEST, 1)
    numbers = judged(train, test)
    found = knn_predict(*train, test[0], num_classes=3, k=3)
    assert numbers["knn_accuracy"] == pytest.approx((found == test[1]).mean())
    linear = ridge_classifier(*train, 3)
    assert numbers["linear_accuracy"] == pytest.approx(linear.accuracy(*test))
    assert numbers["tested"] == summary.MIN_TEST and numbers["folds"] == 0


def test_of_few_all_labelled_examples_are_judged_by_those_of_other_folds():
    train, test = data(60, 0), data(20, 1)
    numbers = judged(train, test)
    assert numbers["tested"] == 80 and numbers["folds"] == summary.FOLDS
    # Leave-one-out, of which five folds are the coarser form.
    features = np.concatenate([train[0], test[0]])
    labels = np.concatenate([train[1], test[1]])
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similar = unit @ unit.T - 2 * np.eye(80)
    nearest = np.argsort(-similar, axis=1)[:, :3]
    votes = np.exp(np.take_along_axis(similar, nearest, 1) / 0.07)
    sums = np.stack(
        [(votes * (labels[nearest] == c)).sum(1) for c in range(3)], 1
    )
    left_out = (sums.argmax(1) == labels).mean()
    assert abs(numbers["knn_accuracy"] - left_out) < 0.06
    assert abs(numbers["linear_accuracy"] - left_out) < 0.15


def test_a_label_that_is_in_its_own_fold_says_nothing():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(80, 5)).astype(np.float32)
    labels = rng.integers(0, 3, 80)
    numbers = judged((features[:60], labels[:60]), (features[60:], labels[60:]))
    assert numbers["knn_accuracy"] < 0.55
    assert numbers["linear_accuracy"] < 0.55


def test_where_a_fold_would_leave_one_class_the_test_examples_count():
    train = np.eye(2, 5, dtype=np.float32), np.array([0, 1])
    test = train[0] + np.float32(0.1), np.array([0, 0])
    assert judged(train, test)["tested"] == 2


def test_the_rank_of_few_test_examples_counts_training_examples_too():
    rng = np.random.default_rng(3)
    train = rng.normal(size=(300, 32)).astype(np.float32), np.full(300, -1)
    test = rng.normal(size=(8, 32)).astype(np.float32), np.full(8, -1)
    assert judged(train, test)["effective_rank"] > 25
    test = test[0].repeat(summary.MIN_TEST // 8 + 1, axis=0), np.full(104, -1)
    assert judged(train, test)["effective_rank"] < 8


def test_the_rank_counts_all_classes_of_sorted_test_examples():
    labels = np.repeat(np.arange(3), summary.SAMPLE_SIZE)
    noise = np.random.default_rng(4).normal(0, 0.01, (len(labels), 3))
    test = (np.eye(3)[labels] + noise).astype(np.float32), labels
    mixed = np.random.default_rng(5).permutation(len(labels))
    train = data(60, 0)[0][:, :3], data(60, 0)[1]
    first, other = (
        judged(train, (test[0][order], labels[order]))["effective_rank"]
        for order in (np.arange(len(labels)), mixed)
    )
    assert first == pytest.approx(other, rel=0.02)
