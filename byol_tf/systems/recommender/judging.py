"""Recall, NDCG and coverage of ranked lists, equal for every method."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse

from byol_tf.systems.recommender.past import Period

SHOWN = 20  # items per list
_BLOCK = 256  # users at a time: 256 x items x 4 bytes of scores

# From indices of a period's users to scores [n, items].
Scores = Callable[[np.ndarray], np.ndarray]


def top(scores: np.ndarray, seen, count: int = SHOWN) -> np.ndarray:
    """Returns indices of the best items, best first, int `[n, count]`.

    Args:
        scores: `[n, items]`; modified: excluded items become -inf.
        seen: `[n, items]` sparse, items to exclude; None: none.
        count: items per list.
    """
    if seen is not None:
        scores[seen.nonzero()] = -np.inf
    count = min(count, scores.shape[1])
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, best, 1), 1, kind="stable")
    return np.take_along_axis(best, order, 1)


def blocks(count: int) -> Iterator[np.ndarray]:
    """Yields blocks of user indices whose scores fit into memory."""
    for start in range(0, count, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, count))


def hits(best: np.ndarray, wanted: sparse.csr_matrix) -> np.ndarray:
    """Returns whether each listed item was taken, bool `[n, count]`."""
    return np.take_along_axis(wanted.toarray() > 0, best, 1)


def ndcg(found: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Computes the normalised discounted cumulative gain of each list.

    Args:
        found: bool `[n, count]`, best item first.
        total: int `[n]`, number of items to find.
    """
    gain = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    most = np.cumsum(gain)[np.minimum(total, found.shape[1]) - 1]
    return found @ gain / most


def judge(scores: Scores, period: Period) -> dict[str, float]:
    """Evaluates lists of `SHOWN` items that a user has not taken yet.

    Returns:
        `recall@20`: share of the taken items that are listed; `ndcg@20`;
        `coverage`: share of all items that are in any list. NaN for a period
        without users.
    """
    if not len(period.users):
        return dict.fromkeys(("recall@20", "ndcg@20", "coverage"), np.nan)
    seen = period.past.matrix()[period.users]
    recalls, gains, shown = [], [], set()
    for part in blocks(len(period.users)):
        best = top(scores(part), seen[part])
        found = hits(best, period.wanted[part])
        total = period.wanted[part].getnnz(axis=1)
        recalls.append(found.sum(axis=1) / total)
        gains.append(ndcg(found, total))
        shown.update(np.unique(best).tolist())
    return {
        "recall@20": float(np.concatenate(recalls).mean()),
        "ndcg@20": float(np.concatenate(gains).mean()),
        "coverage": len(shown) / seen.shape[1],
    }


def judge_cold(scores: Scores, period: Period) -> float:
    """Computes recall at 20 among only the items that nobody had taken."""
    cold = np.flatnonzero(period.cold)
    wanted = period.wanted[:, cold]
    rows = np.flatnonzero(wanted.getnnz(axis=1))
    recalls = []
    for part in blocks(len(rows)):
        some = rows[part]
        best = top(scores(some)[:, cold], None)
        found = hits(best, wanted[some]).sum(axis=1)
        recalls.append(found / wanted[some].getnnz(axis=1))
    return float(np.concatenate(recalls).mean()) if recalls else np.nan
