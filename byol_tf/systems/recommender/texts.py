"""Vectors of item texts, and what they say of items that nobody has taken."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from byol_tf.systems.recommender.methods import nearest

# From texts to unit rows [n, d]; an empty text gives a row of zeros.
Vectors = Callable[[Sequence[str]], sparse.csr_matrix]


def tfidf(texts: Sequence[str]) -> sparse.csr_matrix:
    """TF-IDF of words and of the trigrams inside them, float32 unit rows."""
    if not any(map(_parts, texts)):
        return sparse.csr_matrix((len(texts), 1), dtype=np.float32)
    vectorizer = TfidfVectorizer(
        analyzer=_parts, sublinear_tf=True, dtype=np.float32
    )
    return vectorizer.fit_transform(texts).tocsr()


def _parts(text):
    words = [f" {word} " for word in text.lower().split()]
    inside = (w[i : i + 3] for w in words for i in range(len(w) - 2))
    return [*words, *inside]


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
