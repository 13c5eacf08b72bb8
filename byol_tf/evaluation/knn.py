"""Weighted k-nearest-neighbour classification of representations."""

from collections.abc import Iterable

import numpy as np

from byol_tf.checks import check_number, check_positive
from byol_tf.evaluation.vectors import unit_rows


def knn_predict(
    bank: np.ndarray,
    bank_labels: np.ndarray,
    queries: np.ndarray,
    *,
    num_classes: int,
    k: int | Iterable[int] = 20,
    temperature: float = 0.07,
    chunk: int = 256,
) -> np.ndarray | dict[int, np.ndarray]:
    """Predicts labels by the votes of the most similar vectors of a bank.

    Similarity is the cosine; a neighbour's vote is `exp(similarity /
    temperature)`. Ties between neighbours go to the first in the bank, ties
    between votes to the smallest class.

    Args:
        bank: float `[n, dim]`, finite.
        bank_labels: int `[n]` in [0, num_classes).
        queries: float `[m, dim]`, finite.
        num_classes: number of classes.
        k: number of neighbours, or several numbers, which cost no more than
            one.
        temperature: the smaller, the more the nearest neighbours decide.
        chunk: queries compared at once, in about `12 * chunk * n` bytes.

    Returns:
        int64 `[m]`, or a dict of such arrays by k if there are several.

    Raises:
        ValueError: if shapes, labels, k or the temperature are invalid.

    Reference: Wu et al. 2018, "Unsupervised feature learning via non-parametric
    instance discrimination", section 3.4.
    """
    several = isinstance(k, Iterable)
    ks = tuple(k) if several else (k,)
    bank = _checked_unit(bank, "bank")
    queries = _checked_unit(queries, "queries")
    bank_labels = _checked_labels(
        bank_labels, len(bank), num_classes, "bank_labels"
    )
    _check_options(bank, queries, ks, temperature, chunk)
    predictions = {k_: np.empty(len(queries), np.int64) for k_ in ks}
    for start in range(0, len(queries), chunk):
        part = slice(start, start + chunk)
        similarities = queries[part] @ bank.T  # [chunk, n]
        nearest = _nearest(similarities, max(ks))  # [chunk, k]
        top = np.take_along_axis(similarities, nearest, axis=1)
        # The best vote is exp(0): no temperature can overflow.
        votes = np.exp((top - top[:, :1]).astype(np.float64) / temperature)
        for k_ in ks:
            predictions[k_][part] = _elect(
                bank_labels[nearest[:, :k_]], votes[:, :k_], num_classes
            )
    return predictions if several else predictions[k]


def knn_accuracy(
    bank: np.ndarray,
    bank_labels: np.ndarray,
    queries: np.ndarray,
    query_labels: np.ndarray,
    *,
    num_classes: int,
    **options,
) -> float | dict[int, float]:
    """Computes the accuracy of kNN, in [0, 1].

    Args:
        bank: representations that vote, float `[n, dim]`.
        bank_labels: int `[n]` in [0, num_classes).
        queries: representations to classify, float `[m, dim]`.
        query_labels: int `[m]` in [0, num_classes).
        num_classes: number of classes.
        **options: `k`, `temperature` and other arguments of `knn_predict`.

    Returns:
        The accuracy, or a dict of accuracies by k if there are several.

    Raises:
        ValueError: if shapes or labels are invalid.
    """
    query_labels = _checked_labels(
        query_labels, len(queries), num_classes, "query_labels"
    )
    predictions = knn_predict(
        bank, bank_labels, queries, num_classes=num_classes, **options
    )
    if isinstance(predictions, dict):
        return {
            k: float(np.mean(predicted == query_labels))
            for k, predicted in predictions.items()
        }
    return float(np.mean(predictions == query_labels))


def nearest_neighbours(
    bank: np.ndarray, queries: np.ndarray, k: int, *, chunk: int = 256
) -> np.ndarray:
    """Finds the k vectors of a bank that are most similar to each query.

    Args:
        bank: float `[n, dim]`, finite.
        queries: float `[m, dim]`, finite.
        k: number of neighbours, at most n.
        chunk: queries compared at once.

    Returns:
        int64 `[m, k]`, indices into the bank by descending cosine.

    Raises:
        ValueError: if shapes or k are invalid, or a value is not finite.
    """
    bank = _checked_unit(bank, "bank")
    queries = _checked_unit(queries, "queries")
    _check_options(bank, queries, (k,), 1.0, chunk)
    return np.concatenate(
        [
            _nearest(queries[start : start + chunk] @ bank.T, k)
            for start in range(0, len(queries), chunk)
        ]
    )


def _nearest(similarities, k):
    """Returns the columns of the k largest values per row; ties by column."""
    if k == similarities.shape[1]:
        return np.argsort(-similarities, axis=1, kind="stable")
    columns = np.argpartition(-similarities, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(similarities, columns, axis=1)
    # If columns tie for the last place, the partition picks any of them, so
    # these rows are sorted in full.
    smallest = values.min(axis=1, keepdims=True)
    tied = np.count_nonzero(similarities >= smallest, axis=1) > k
    if tied.any():
        order = np.argsort(-similarities[tied], axis=1, kind="stable")
        columns[tied] = order[:, :k]
        values = np.take_along_axis(similarities, columns, axis=1)
    order = np.lexsort((columns, -values), axis=1)
    return np.take_along_axis(columns, order, axis=1)


def _elect(labels, votes, num_classes):
    """Returns the class with the largest sum of votes in each row."""
    rows = np.arange(len(labels))[:, None]
    sums = np.bincount(
        (rows * num_classes + labels).ravel(),
        weights=votes.ravel(),
        minlength=len(labels) * num_classes,
    )
    return sums.reshape(len(labels), num_classes).argmax(axis=1)


def _checked_unit(vectors, name):
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(
            f"`{name}` must be a matrix with at least one row. "
            f"Received: {name}.shape={vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError(
            f"`{name}` must be finite. Received: {name} with NaN or infinite "
            "values. Has the training diverged?"
        )
    return unit_rows(vectors)


def _checked_labels(labels, count, num_classes, name):
    labels = np.asarray(labels)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"`{name}` must be {count} integers. Received: "
            f"{name}.shape={labels.shape}, {name}.dtype={labels.dtype}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"`{name}` must lie in [0, {num_classes}); leave out examples "
            f"without a label. Received: {name} from {labels.min()} to "
            f"{labels.max()}"
        )
    return labels.astype(np.int64)


def _check_options(bank, queries, ks, temperature, chunk):
    if bank.shape[1] != queries.shape[1]:
        raise ValueError(
            "`bank` and `queries` must have vectors of the same length. "
            f"Received: bank.shape={bank.shape}, queries.shape={queries.shape}"
        )
    if not ks or min(ks) < 1 or max(ks) > len(bank):
        raise ValueError(
            f"`k` must be between 1 and the size of the bank, {len(bank)}. "
            f"Received: k={ks if len(ks) != 1 else ks[0]}"
        )
    check_positive("temperature", temperature)
    check_number("chunk", chunk, 1)
