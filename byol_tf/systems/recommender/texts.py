"""Vectors of item texts, and what they say of items that nobody has taken."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from byol_tf.systems.common.tfidf import Tfidf
from byol_tf.systems.recommender.methods import nearest


def tfidf(texts: Sequence[str]) -> sparse.csr_matrix:
    """Unit rows of TF-IDF; zeros where there is no word."""
    try:
        return Tfidf().fit(texts).rows(texts)
    except ValueError:
        return sparse.csr_matrix((len(texts), 1), dtype=np.float32)


def imputed(
    vectors: sparse.csr_matrix, warm: np.ndarray, count: int
) -> sparse.csr_matrix:
    """Weights that carry scores over to items without history.

    Args:
        vectors: unit rows of the items' texts, `[items, d]`.
        warm: bool `[items]`, those with scores of their own.
        count: of the most similar warm items.

    Returns:
        `[items, items]`: a warm item keeps its score; the score of another
        is the mean of its neighbours' by similarity, times the similarity
        of the nearest: one without a near text gets little.
    """
    known, cold = np.flatnonzero(warm), np.flatnonzero(~warm)
    turned = sparse.diags_array(warm.astype(np.float32)).tolil()
    if len(cold) and len(known):
        near = nearest(vectors[cold], vectors[known], count)
        total = np.asarray(near.sum(axis=1)).ravel()
        best = near.max(axis=1).toarray().ravel()
        scale = best / np.where(total > 0, total, 1)
        near = sparse.diags_array(scale).tocsr() @ near
        turned = turned.tocsr()
        near = near.tocoo()
        extra = (near.data, (known[near.col], cold[near.row]))
        turned = turned + sparse.csr_matrix(extra, turned.shape)
    return turned.tocsr().astype(np.float32)
