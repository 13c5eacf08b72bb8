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
    unlabelled = len(embeddings) - len(labelled)
    if not 1 <= count <= unlabelled:
        raise ValueError(
            f"--count must be from 1 to {unlabelled}, the examples without a "
            f"label. Received: {count}"
        )
    vectors = embeddings.rows(np.arange(len(embeddings)))
    clusters = min(count + len(labelled), len(vectors))
    members = _clusters(vectors, clusters, seed)
    is_labelled = np.zeros(len(vectors), bool)
    is_labelled[labelled] = True
    chosen = []
    for rows in _unlabelled_clusters(members, is_labelled):
        chosen.append(_most_typical(vectors, rows[~is_labelled[rows]]))
        if len(chosen) == count:
            break
    return np.array(chosen + _rest(is_labelled, chosen, count, seed), np.int64)


def _clusters(vectors, count, seed):
    from sklearn.cluster import KMeans, MiniBatchKMeans

    clustering_class = KMeans if len(vectors) <= EXACT else MiniBatchKMeans
    return clustering_class(count, n_init=1, random_state=seed).fit_predict(
        vectors
    )


def _unlabelled_clusters(members, is_labelled):
    """Returns rows of clusters without a label, the largest first."""
    order = np.argsort(members, kind="stable")
    cuts = np.flatnonzero(np.diff(members[order])) + 1
    groups = [
        rows for rows in np.split(order, cuts) if not is_labelled[rows].any()
    ]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _most_typical(vectors, rows):
    """Returns the row with the smallest mean distance to its neighbours."""
    cluster, near = vectors[rows], min(NEAR + 1, len(rows))  # including itself
    sums = [
        np.partition(strip @ cluster.T, -near, axis=1)[:, -near:].sum(axis=1)
        for strip in np.split(cluster, range(_STRIP, len(cluster), _STRIP))
    ]
    return rows[np.argmax(np.concatenate(sums))]


def _rest(is_labelled, chosen, count, seed):
    """Draws random others if too few clusters have no label."""
    excluded = is_labelled.copy()
    excluded[chosen] = True
    rest = np.random.default_rng(seed).permutation(np.flatnonzero(~excluded))
    return rest[: count - len(chosen)].tolist()
