"""Which examples to label next: typical ones, each of another kind."""

import numpy as np

from byol_tf.search.table import Embeddings

EXACT = 20_000  # vectors up to which all are clustered at once
NEAR = 20  # neighbours that say how typical an example is


def select_rows(
    embeddings: Embeddings, count: int, labelled: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Chooses examples that stand for as many different ones as possible.

    All examples are put into as many clusters as there will be labels. Of each
    cluster without a label, the largest first, the example in the densest
    place is chosen (TypiClust: Hacohen et al. 2022, section 3).

    Args:
        embeddings: of all examples, labelled ones among them.
        count: examples to choose.
        labelled: int `[n]`, rows that have a label.
        seed: of the clusters.

    Returns:
        int64 `[count]`, rows without a label, each once, the most useful
        first.

    Raises:
        ValueError: fewer are without a label than are to be chosen.
    """
    free = len(embeddings) - len(labelled)
    if not 1 <= count <= free:
        raise ValueError(
            f"--count must be from 1 to {free}, the examples without a label. "
            f"Received: {count}"
        )
    vectors = embeddings.rows(np.arange(len(embeddings)))
    clusters = min(count + len(labelled), len(vectors))
    members = _clusters(vectors, clusters, seed)
    known = np.zeros(len(vectors), bool)
    known[labelled] = True
    chosen = []
    for rows in _by_need(members, known):
        chosen.append(_most_typical(vectors, rows[~known[rows]]))
        if len(chosen) == count:
            break
    return np.array(chosen + _rest(known, chosen, count, seed), np.int64)


def _clusters(vectors, count, seed):
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(vectors) <= EXACT else MiniBatchKMeans
    return kind(count, n_init=1, random_state=seed).fit_predict(vectors)


def _by_need(members, known):
    """Rows of clusters without a label, the largest first."""
    order = np.argsort(members, kind="stable")
    cuts = np.flatnonzero(np.diff(members[order])) + 1
    groups = [rows for rows in np.split(order, cuts) if not known[rows].any()]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _most_typical(vectors, rows):
    """The row with the nearest neighbours, on the average, of some."""
    cosines = vectors[rows] @ vectors[rows].T
    near = min(NEAR + 1, len(rows))  # itself among them
    nearest = np.partition(cosines, -near, axis=1)[:, -near:]
    return rows[np.argmax(nearest.sum(axis=1))]


def _rest(known, chosen, count, seed):
    """Random others, where fewer clusters than wanted have no label."""
    taken = known.copy()
    taken[chosen] = True
    rest = np.random.default_rng(seed).permutation(np.flatnonzero(~taken))
    return rest[: count - len(chosen)].tolist()
