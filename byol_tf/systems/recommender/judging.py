"""Recall, NDCG and coverage of ranked lists, equal for every method."""

import numpy as np
from scipy import sparse

from byol_tf.systems.recommender.methods import Scores
from byol_tf.systems.recommender.past import Period

SHOWN = 20  # items per list
GOAL, COLD = "ndcg@20", "cold_recall@20"
COLUMNS = ("recall@20", GOAL, "coverage", COLD)
_BLOCK = 256  # users at a time: 256 x items x 4 bytes of scores


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


def blocks(count: int) -> list[np.ndarray]:
    """Splits indices of users into blocks whose scores fit into memory."""
    return np.split(np.arange(count), range(_BLOCK, count, _BLOCK))


def recall_and_ndcg(
    best: np.ndarray, wanted: sparse.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Computes each list's recall and discounted cumulative gain, normalised.

    Args:
        best: see `top`.
        wanted: `[n, items]`, at least one in each row.
    """
    found = np.take_along_axis(wanted.toarray() > 0, best, 1)
    total = wanted.getnnz(axis=1)
    gain = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    most = np.cumsum(gain)[np.minimum(total, found.shape[1]) - 1]
    return found.sum(axis=1) / total, found @ gain / most


def judge(scores: Scores, period: Period) -> dict[str, float]:
    """Evaluates lists of `SHOWN` items that a user has not taken yet.

    Returns:
        `recall@20`: share of the taken items that are listed; `ndcg@20`;
        `coverage`: share of all items that are in any list. NaN for a period
        without users.
    """
    if not len(period.users):
        return dict.fromkeys(COLUMNS[:3], np.nan)
    seen = period.past.matrix()[period.users]
    shown, judged = set(), []
    for part in blocks(len(period.users)):
        scored = scores(period.rows(part))
        best = top(scored, seen[part])
        judged.append(recall_and_ndcg(best, period.wanted[part]))
        listed = np.isfinite(np.take_along_axis(scored, best, 1))
        shown.update(np.unique(best[listed]).tolist())
    recall, ndcg = (float(x.mean()) for x in np.concatenate(judged, axis=1))
    values = recall, ndcg, len(shown) / seen.shape[1]
    return dict(zip(COLUMNS, values, strict=False))


def judge_cold(scores: Scores, period: Period) -> float:
    """Computes recall at 20 among only the items that nobody had taken.

    Returns:
        The recall; NaN if nobody took one of them later.
    """
    cold = np.flatnonzero(~period.past.warm)
    wanted = period.wanted[:, cold]
    users = np.flatnonzero(wanted.getnnz(axis=1))
    recalls = [
        recall_and_ndcg(
            top(scores(period.rows(some))[:, cold], None), wanted[some]
        )[0]
        for some in (users[part] for part in blocks(len(users)))
        if len(some)
    ]
    return float(np.concatenate(recalls).mean()) if recalls else np.nan
