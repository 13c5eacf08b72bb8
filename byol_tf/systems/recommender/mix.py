"""A mix of methods: its weights, and scores of all items for histories."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from byol_tf.systems.recommender import judging, methods
from byol_tf.systems.recommender.methods import POPULARITY, TEXTS, Scores
from byol_tf.systems.recommender.past import Past, Rows

# Candidate weights. None is extreme, since that would overfit one period.
CANDIDATE_WEIGHTS = (0.0, 0.25, 0.5, 1.0)
_ROUNDS = 2
_MIN_POPULARITY = 1e-3  # weight of popularity at least, to break ties


@dataclasses.dataclass(frozen=True)
class Plan:
    """Settings learned on held-out periods, as JSON values.

    Attributes:
        settings: by method.
        weights: weights of the methods' standardised scores.
        near: number of similar items used for an item that nobody has taken.
        share: weight of the text's own score for such an item.
        texts: run folder of the text encoder; "": none.
        events: weights of the kinds of events.
    """

    settings: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, float]
    near: int = 5
    share: float = 0.3
    texts: str = ""
    events: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Mix:
    """Scores all items of a shop for histories.

    Attributes:
        past: the known events.
        vectors: unit vectors of the items' texts, `[items, d]`.
        plan: weights.
        scorers: scores by method, of those with a weight, popularity and texts.
    """

    past: Past
    vectors: sparse.csr_matrix
    plan: Plan
    scorers: Mapping[str, Scores]

    def __call__(self, rows: Rows) -> np.ndarray:
        """Scores items, float32 `[n, items]`; cold items by their texts."""
        return self.fill_cold(*self.parts(rows))

    def parts(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Returns the weighted sum of all scores, and scores by texts alone."""
        parts = {
            name: standard(scores(rows), self.past.warm)
            for name, scores in self.scorers.items()
        }
        weights = dict(self.plan.weights)
        weights[POPULARITY] = weights[POPULARITY] or _MIN_POPULARITY
        return _weighted(parts, weights), parts[TEXTS]

    def fill_cold(self, mixed: np.ndarray, by_text: np.ndarray) -> np.ndarray:
        """Fills in scores of cold items from similar items."""
        cold = ~self.past.warm
        return (
            mixed @ self._imputation_weights + self.plan.share * by_text * cold
        )

    @functools.cached_property
    def _imputation_weights(self):
        return imputation_weights(self.vectors, self.past.warm, self.plan.near)


def imputation_weights(
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
    warm_items, cold_items = np.flatnonzero(warm), np.flatnonzero(~warm)
    weights = sparse.diags_array(np.float32(warm)).tocsr()
    if len(cold_items) and len(warm_items):
        near = methods.nearest(vectors[cold_items], vectors[warm_items], count)
        near = normalize(near, "l1").multiply(near.max(axis=1)).tocoo()
        places = warm_items[near.col], cold_items[near.row]
        weights += sparse.csr_matrix((near.data, places), weights.shape)
    return weights


def standard(scores: np.ndarray, warm: np.ndarray) -> np.ndarray:
    """Standardises each user's scores over the warm items, in float32.

    Args:
        scores: `[n, items]`.
        warm: bool `[items]`.
    """
    scores = np.float32(scores)
    warm_scores = scores[:, warm]
    deviation = warm_scores.std(axis=1, keepdims=True)
    centred = scores - warm_scores.mean(axis=1, keepdims=True)
    return centred / np.where(deviation > 1e-9, deviation, 1)


def _weighted(parts, weights):
    return sum(
        np.float32(weight) * parts[name]
        for name, weight in weights.items()
        if weight
    )


def learn(
    parts: Mapping[str, np.ndarray], relevant, seen
) -> tuple[dict[str, float], float]:
    """Finds weights that raise NDCG, one method after the other.

    Args:
        parts: standardised scores, `[n, items]` by method.
        relevant, seen: sparse `[n, items]`.

    Returns:
        Weights by method, and the NDCG with them.
    """

    def gain(weights):
        best = judging.top(_weighted(parts, weights), seen)
        return judging.recall_and_ndcg(best, relevant)[1].mean()

    single_gains = {name: gain({name: 1.0}) for name in parts}
    names = sorted(single_gains, key=single_gains.get, reverse=True)
    weights = dict.fromkeys(names, 0.0) | {names[0]: 1.0}
    best = single_gains[names[0]]
    for name, weight in itertools.product(names * _ROUNDS, CANDIDATE_WEIGHTS):
        candidate = weights | {name: weight}
        if weight != weights[name] and any(candidate.values()):
            ndcg = gain(candidate)
            if ndcg > best:
                best, weights = ndcg, candidate
    return weights, float(best)
