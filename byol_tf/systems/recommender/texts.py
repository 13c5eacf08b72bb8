"""Vectors of item texts, and scores for items without history."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from byol_tf.systems.common.tfidf import Tfidf
from byol_tf.systems.recommender.methods import nearest


def tfidf(texts: Sequence[str]) -> sparse.csr_matrix:
    """Computes unit TF-IDF vectors; zeros for texts without words."""
    try:
        return Tfidf().fit(texts).rows(texts)
    except ValueError:
        return sparse.csr_matrix((len(texts), 1), dtype=np.float32)


def imputed(
    vectors: sparse.csr_matrix, warm: np.ndarray, count: int
) -> sparse.csr_matrix:
    """Returns weights that carry scores over to items without history.

    Args:
        vectors: unit vectors of the items' texts, `[items, d]`.
        warm: bool `[items]`, items with their own scores.
        count: number of most similar warm items.

    Returns:
        `[items, items]`: a warm item keeps its score. Another item gets the
        mean over its neighbours, weighted by similarity, times the similarity
        of the nearest one, so that an item without a similar text gets little.
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
