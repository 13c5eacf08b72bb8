"""Weights of several methods' scores, chosen on a held-out period."""

from collections.abc import Mapping

import numpy as np

from byol_tf.systems.recommender import judging
from byol_tf.systems.recommender.past import Period

# Candidate weights. None is extreme, since that would overfit one period.
TRIED = (0.0, 0.25, 0.5, 1.0)
_ROUNDS = 2
_BYTES = 2**30  # of all methods' scores, for the users that choose the weights


def standard(scores: np.ndarray, warm: np.ndarray) -> np.ndarray:
    """Standardises each user's scores over the warm items.

    Args:
        scores: `[n, items]`.
        warm: bool `[items]`.
    """
    known = scores[:, warm]
    mean = known.mean(axis=1, keepdims=True)
    deviation = known.std(axis=1, keepdims=True)
    return (scores - mean) / np.where(deviation > 1e-9, deviation, 1)


def weighted(
    scores: Mapping[str, np.ndarray], weights: Mapping[str, float]
) -> np.ndarray:
    """Returns the weighted sum of standardised scores."""
    return sum(
        np.float32(weight) * scores[name]
        for name, weight in weights.items()
        if weight
    )


def chosen_users(period: Period, methods: int) -> np.ndarray:
    """Returns indices of the users that choose the weights, as many as fit."""
    size = methods * period.past.shape[1] * 4
    most = max(50, _BYTES // size)
    count = len(period.users)
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def learn(
    scores: Mapping[str, np.ndarray], wanted, seen
) -> tuple[dict[str, float], float]:
    """Finds weights that raise NDCG, one method after the other.

    Args:
        scores: standardised, `[n, items]` by method.
        wanted, seen: sparse `[n, items]`.

    Returns:
        Weights by method, and the NDCG with them.
    """
    total = wanted.getnnz(axis=1)

    def gain(weights):
        best = judging.top(weighted(scores, weights).copy(), seen)
        return judging.ndcg(judging.hits(best, wanted), total).mean()

    alone = {name: gain({name: 1.0}) for name in scores}
    names = sorted(alone, key=alone.get, reverse=True)
    weights = dict.fromkeys(names, 0.0) | {names[0]: 1.0}
    best = alone[names[0]]
    for _ in range(_ROUNDS):
        for name in names:
            for weight in TRIED:
                tried = weights | {name: weight}
                if weight != weights[name] and any(tried.values()):
                    found = gain(tried)
                    if found > best:
                        best, weights = found, tried
    return weights, float(best)
