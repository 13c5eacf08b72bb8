"""Latent semantic analysis: the main directions of TF-IDF vectors."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from byol_tf.modalities.text.layer import Tokens
from byol_tf.modalities.text.tokens import PAIR

_BATCH = 256  # texts
_ROUNDS = 4  # of power iteration; more did not change accuracies


def directions(
    tokens: Tokens, texts: Iterable[str], width: int, seed: int
) -> np.ndarray:
    """Finds the directions that hold most of the TF-IDF vectors of texts.

    Args:
        tokens: preprocessor with `form="tf_idf"`.
        texts: rows; both texts of a pair are used.
        width: number of directions.
        seed: seed of the randomised decomposition.

    Returns:
        float32 `[tokens.size, width]`: orthogonal columns of length 1, the most
        important first. If there are too few texts, the last columns are 0.
    """
    rows = _vectors(tokens, texts)
    _, _, components = randomized_svd(
        rows, min(width, *rows.shape), n_iter=_ROUNDS, random_state=seed
    )
    result = np.zeros([tokens.size, width], np.float32)
    result[:, : len(components)] = components.T
    return result


def _vectors(tokens, texts):
    """Returns TF-IDF vectors, sparse float32 `[n, tokens.size]`."""
    parts = [part for row in texts for part in row.split(PAIR)]
    batches = [
        parts[start : start + _BATCH] for start in range(0, len(parts), _BATCH)
    ]
    return sparse.vstack(
        [sparse.csr_matrix(tokens(tf.constant(b)).numpy()) for b in batches]
    ).tocsr()
