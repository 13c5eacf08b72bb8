"""What all comparisons of representations do to them first."""

import numpy as np


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[n, dim]` scaled to length 1, in their dtype; zeros stay so."""
    # Divided by the largest value first: squares of large or tiny float32
    # values would leave the range.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = vectors / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
