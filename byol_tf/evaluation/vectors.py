"""Normalisation of vectors, for all comparisons."""

import numpy as np


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scales vectors `[n, dim]` to length 1, same dtype; zeros stay zero."""
    # Divide by the largest value first, since squares of large or tiny float32
    # values would overflow or underflow.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = vectors / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
