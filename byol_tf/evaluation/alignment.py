"""Alignment and uniformity of representations: quality without labels.

Reference: Wang and Isola 2020, "Understanding contrastive representation
learning through alignment and uniformity on the hypersphere", section 4.1.
"""

import numpy as np

from byol_tf.evaluation.collapse import as_matrix
from byol_tf.evaluation.vectors import unit_rows


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Mean squared distance of two views of the same inputs, in [0, 4].

    On the unit sphere: 0 where the views agree. The paper's alpha is 2.

    Args:
        first: float `[n, dim]`, representations of one view.
        second: `[n, dim]`, of the other.

    Raises:
        ValueError: the shapes differ, or there is no input.
    """
    first, second = (
        unit_rows(as_matrix(vectors, name, 1))
        for vectors, name in ((first, "first"), (second, "second"))
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
        [-4 t, 0]: 0 where all vectors agree, near -2 t for random vectors
        of many dimensions.

    Raises:
        ValueError: fewer than two vectors.
    """
    unit = unit_rows(as_matrix(vectors, "vectors"))
    first, second = np.triu_indices(len(unit), k=1)
    squared = 2 - 2 * (unit @ unit.T)[first, second]
    return float(np.log(np.mean(np.exp(-t * np.maximum(squared, 0)))))
