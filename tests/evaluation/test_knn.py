"""byol_tf.evaluation.knn."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from byol_tf.evaluation.knn import knn_accuracy, knn_predict, nearest_neighbours


def random_problem(seed=0, bank=300, queries=150, dim=8, classes=5):
    generator = np.random.default_rng(seed)
    return (
        generator.normal(size=(bank, dim)).astype(np.float32),
        generator.integers(0, classes, bank),
        generator.normal(size=(queries, dim)).astype(np.float32),
        generator.integers(0, classes, queries),
    )


def sklearn_knn(bank, labels, k, temperature):
    knn = KNeighborsClassifier(
        k,
        metric="cosine",
        algorithm="brute",
        weights=lambda distances: np.exp((1 - distances) / temperature),
    )
    return knn.fit(bank, labels)


@pytest.mark.parametrize("k", [1, 7, 20, 299, 300])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_equals_sklearn(k, temperature):
    bank, labels, queries, _ = random_problem()
    predicted = knn_predict(
        bank, labels, queries, num_classes=5, k=k, temperature=temperature
    )
    reference = sklearn_knn(bank, labels, k, temperature).predict(queries)
    np.testing.assert_array_equal(predicted, reference)


def test_accuracy_equals_sklearn():
    bank, labels, queries, query_labels = random_problem(1)
    accuracy = knn_accuracy(bank, labels, queries, query_labels, num_classes=5)
    reference = sklearn_knn(bank, labels, 20, 0.07)
    assert accuracy == reference.score(queries, query_labels)


def test_several_k_equal_each_alone():
    bank, labels, queries, query_labels = random_problem()
    arguments = (bank, labels, queries, query_labels)
    together = knn_accuracy(*arguments, num_classes=5, k=(10, 1, 200))
    assert together == {
        k: knn_accuracy(*arguments, num_classes=5, k=k) for k in (10, 1, 200)
    }


@pytest.mark.parametrize("chunk", [1, 7, 150, 1000])
def test_chunks_do_not_change_the_result(chunk):
    bank, labels, queries, _ = random_problem()
    np.testing.assert_array_equal(
        knn_predict(bank, labels, queries, num_classes=5, chunk=chunk),
        knn_predict(bank, labels, queries, num_classes=5, chunk=64),
    )


def test_scale_of_the_vectors_does_not_matter():
    bank, labels, queries, _ = random_problem()
    np.testing.assert_array_equal(
        knn_predict(bank * 1e30, labels, queries * 1e-30, num_classes=5),
        knn_predict(bank, labels, queries, num_classes=5),
    )


def test_small_temperature_does_not_overflow():
    bank, labels, queries, _ = random_problem()
    np.testing.assert_array_equal(
        knn_predict(bank, labels, queries, num_classes=5, temperature=1e-6),
        knn_predict(bank, labels, queries, num_classes=5, k=1),
    )


def test_first_of_equal_neighbours_count():
    bank = np.tile([[0.0, 1.0]], (50, 1))
    bank[20:25] = [1.0, 0.0]
    labels = np.arange(50)
    query = np.array([[1.0, 0.0]])
    np.testing.assert_array_equal(
        nearest_neighbours(bank, query, 8), [[20, 21, 22, 23, 24, 0, 1, 2]]
    )
    np.testing.assert_array_equal(
        knn_predict(bank, labels, query, num_classes=50, k=5), [20]
    )


def test_smallest_class_wins_equal_votes():
    bank = np.ones((4, 2))
    predicted = knn_predict(bank, [3, 1, 3, 1], bank[:1], num_classes=4, k=4)
    np.testing.assert_array_equal(predicted, [1])


def test_nearest_neighbours_are_sorted_by_cosine():
    bank, _, queries, _ = random_problem()
    lengths = np.linalg.norm(bank, axis=1)
    order = np.argsort(-(queries @ bank.T) / lengths, axis=1)
    np.testing.assert_array_equal(
        nearest_neighbours(bank, queries, 5, chunk=64), order[:, :5]
    )


@pytest.mark.parametrize("k", [0, 301, (5, 301)])
def test_impossible_k_is_an_error(k):
    bank, labels, queries, _ = random_problem()
    with pytest.raises(ValueError, match="size of the bank, 300"):
        knn_predict(bank, labels, queries, num_classes=5, k=k)


def test_missing_label_is_an_error():
    bank, labels, queries, _ = random_problem()
    labels[3] = -1
    with pytest.raises(ValueError, match=r"bank_labels.* from -1 to 4"):
        knn_predict(bank, labels, queries, num_classes=5)


def test_nan_is_an_error():
    bank, labels, queries, _ = random_problem()
    queries[3, 2] = np.nan
    with pytest.raises(ValueError, match="`queries` must be finite"):
        knn_predict(bank, labels, queries, num_classes=5)


def test_different_lengths_are_an_error():
    bank, labels, queries, _ = random_problem()
    with pytest.raises(ValueError, match=r"\(150, 7\)"):
        knn_predict(bank, labels, queries[:, :7], num_classes=5)


def test_temperature_zero_is_an_error():
    bank, labels, queries, _ = random_problem()
    with pytest.raises(ValueError, match="temperature=0"):
        knn_predict(bank, labels, queries, num_classes=5, temperature=0)


def test_no_query_is_an_error():
    none = np.zeros((0, 2)), np.zeros(0, int)
    with pytest.raises(ValueError, match="`queries` must be a matrix"):
        knn_accuracy(np.eye(2), np.arange(2), *none, num_classes=2, k=1)
