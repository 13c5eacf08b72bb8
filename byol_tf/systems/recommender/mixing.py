"""The mix: scores of several methods, weighted by what held-out time says."""

from collections.abc import Mapping

import numpy as np

from byol_tf.systems.recommender import judging
from byol_tf.systems.recommender.past import Period

# Weights. No method outweighs the others by far: that would hold for one
# period, and the next one differs.
TRIED = (0.0, 0.25, 0.5, 1.0)
_ROUNDS = 2
_BYTES = 2**30  # of all methods' scores, for the users that weights rest on


def standard(scores: np.ndarray, warm: np.ndarray) -> np.ndarray:
    """Scores of each user with mean 0 and deviation 1 over the warm items.

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
    """Sums standardised scores by weight."""
    return sum(
        np.float32(weight) * scores[name]
        for name, weight in weights.items()
        if weight
    )


def chosen_users(period: Period, methods: int) -> np.ndarray:
    """Places of the users that weights rest on: all, or as many as fit."""
    size = methods * period.past.shape[1] * 4
    most = max(50, _BYTES // size)
    count = len(period.users)
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def learn(
    scores: Mapping[str, np.ndarray], wanted, seen
) -> tuple[dict[str, float], float]:
    """Finds weights one after the other that raise NDCG.

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
