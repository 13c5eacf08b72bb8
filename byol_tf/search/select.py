"""Chooses examples to label next: typical ones of different kinds."""

import numpy as np

from byol_tf.search.table import Embeddings

EXACT = 20_000  # up to this many vectors, all are clustered at once
NEAR = 20  # neighbours that measure how typical an example is
_STRIP = 1024  # examples of a cluster compared with all of it at a time


def select_rows(
    embeddings: Embeddings, count: int, labelled: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Chooses typical examples of as many different kinds as possible.

    Clusters all examples into as many clusters as there will be labels. Of each
    cluster without a label, the largest first, it chooses the example in the
    densest place (TypiClust: Hacohen et al. 2022, section 3).

    Args:
        embeddings: embeddings of all examples, including labelled ones.
        count: number of examples to choose.
        labelled: int `[n]`, rows that have a label.
        seed: seed of the clustering.

    Returns:
        int64 `[count]`, distinct rows without a label, the most useful first.

    Raises:
        ValueError: if there are fewer examples without a label.
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
    """Returns rows of clusters without a label, the largest first."""
    order = np.argsort(members, kind="stable")
    cuts = np.flatnonzero(np.diff(members[order])) + 1
    groups = [rows for rows in np.split(order, cuts) if not known[rows].any()]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _most_typical(vectors, rows):
    """Returns the row with the smallest mean distance to its neighbours."""
    own, near = vectors[rows], min(NEAR + 1, len(rows))  # including itself
    sums = [
        np.partition(strip @ own.T, -near, axis=1)[:, -near:].sum(axis=1)
        for strip in np.split(own, range(_STRIP, len(own), _STRIP))
    ]
    return rows[np.argmax(np.concatenate(sums))]


def _rest(known, chosen, count, seed):
    """Draws random others if too few clusters have no label."""
    taken = known.copy()
    taken[chosen] = True
    rest = np.random.default_rng(seed).permutation(np.flatnonzero(~taken))
    return rest[: count - len(chosen)].tolist()
