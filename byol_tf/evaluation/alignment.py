"""Alignment and uniformity of representations: quality without labels.

Reference: Wang and Isola 2020, "Understanding contrastive representation
learning through alignment and uniformity on the hypersphere", section 4.1.
"""

import numpy as np


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """How far apart two views of the same input are.

    Args:
        first: float `[n, dim]`, representations of one view of n inputs.
        second: likewise of another view of the same inputs.

    Returns:
        Mean squared distance of the pairs on the unit sphere, in [0, 4]:
        0 where all views of an input agree. Their alpha is 2.

    Raises:
        ValueError: the shapes differ, or there is no input.
    """
    first, second = (
        _unit_rows(first, "first", 1),
        _unit_rows(second, "second", 1),
    )
    if first.shape != second.shape:
        raise ValueError(
            "`first` and `second` must have the same shape. "
            f"Received: {first.shape} and {second.shape}"
        )
    return float(np.mean(np.sum((first - second) ** 2, axis=1)))


def uniformity(vectors: np.ndarray, t: float = 2.0) -> float:
    """How evenly vectors spread over the unit sphere.

    Args:
        vectors: float `[n, dim]` of different inputs, n >= 2.
        t: weight of the squared distance.

    Returns:
        Logarithm of the mean of exp(-t distance²) over all pairs, in
        [-4 t, 0]: 0 where all vectors agree. In many dimensions vectors
        without order have squared distances near 2, which gives -2 t.

    Raises:
        ValueError: fewer than two vectors.
    """
    unit = _unit_rows(vectors, "vectors", 2)
    first, second = np.triu_indices(len(unit), k=1)
    squared = 2 - 2 * (unit @ unit.T)[first, second]
    return float(np.log(np.mean(np.exp(-t * np.maximum(squared, 0)))))


def _unit_rows(vectors, name, least):
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or len(vectors) < least:
        raise ValueError(
            f"`{name}` must be a matrix with {least} rows or more. "
            f"Received: {name}.shape={vectors.shape}"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
