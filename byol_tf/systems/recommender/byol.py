"""BYOL on histories as a method: user-kNN with the encoder's vectors."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from byol_tf.evaluation.vectors import unit_rows as dense_unit_rows
from byol_tf.modalities.history.rows import key_of
from byol_tf.systems.recommender.methods import (
    METHODS,
    Method,
    largest,
    unit_rows,
    user_scores,
)

NAME = "BYOL"
_BLOCK = 1024  # histories encoded at once


def of_encoder(encoder, items: Sequence[str]) -> Method:
    """Makes user-kNN with neighbours by the encoder's vectors.

    Args:
        encoder: encoder of histories, see `runs.encoder.Encoder`.
        items: ids of the shop's items.
    """
    keys = np.asarray(encoder.preprocessor.keys)
    own = np.array([key_of(item) for item in items])
    place = np.minimum(np.searchsorted(keys, own), len(keys) - 1)
    (known,) = np.nonzero(keys[place] == own)
    turn = sparse.csr_matrix(
        (np.ones(len(known), np.float32), (known, place[known])),
        (len(items), len(keys)),
    )

    def vectors(rows):
        parts = []
        for start in range(0, rows.shape[0], _BLOCK):
            block = unit_rows(rows[start : start + _BLOCK] @ turn)
            parts.append(np.asarray(encoder.model(block.toarray())))
        return np.concatenate(parts)

    def fit(past, half_life, **_):
        histories = past.matrix(half_life)
        found = vectors(histories)
        mean = found.mean(axis=0)
        return dense_unit_rows(found - mean), mean, histories

    def score(state, rows, count, power, **_):
        others, mean, histories = state
        near = dense_unit_rows(vectors(rows) - mean) @ others.T
        return user_scores(largest(near, int(count)), histories, power)

    like = METHODS["user-kNN"]
    return Method(fit, score, like.settings, like.fitted_by)
