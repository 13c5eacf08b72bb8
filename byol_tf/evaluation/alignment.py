"""Alignment and uniformity of representations: quality without labels.

Reference: Wang and Isola 2020, "Understanding contrastive representation
learning through alignment and uniformity on the hypersphere", section 4.1.
"""

import numpy as np

from byol_tf.evaluation.collapse import as_matrix
from byol_tf.evaluation.vectors import unit_rows


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Computes the mean squared distance of two views, in [0, 4].

    Vectors are scaled to unit length; 0 means that the views agree. The paper's
    alpha is 2.

    Args:
        first: float `[n, dim]`, representations of one view.
        second: float `[n, dim]`, of the other view of the same inputs.

    Raises:
        ValueError: if the shapes differ, or there is no input.
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
    """Measures how evenly vectors spread over the unit sphere.

    Args:
        vectors: float `[n, dim]` of different inputs, n >= 2.
        t: factor on the squared distance.

    Returns:
        Logarithm of the mean of exp(-t distance²) over all pairs, in [-4 t, 0]:
        0 if all vectors are equal, near -2 t for random vectors of high
        dimension.

    Raises:
        ValueError: if there are fewer than two vectors.
    """
    unit = unit_rows(as_matrix(vectors, "vectors"))
    first, second = np.triu_indices(len(unit), k=1)
    squared = 2 - 2 * (unit @ unit.T)[first, second]
    return float(np.log(np.mean(np.exp(-t * np.maximum(squared, 0)))))
