"""Recall, NDCG and coverage of ranked lists, equal for every method."""

import numpy as np
from scipy import sparse

from byol_tf.systems.recommender.methods import Scores
from byol_tf.systems.recommender.past import Period

LIST_LENGTH = 20  # items per list
GOAL, COLD = "ndcg@20", "cold_recall@20"
COLUMNS = ("recall@20", GOAL, "coverage", COLD)
_BLOCK = 256  # users at a time: 256 x items x 4 bytes of scores


def top(scores: np.ndarray, seen, count: int = LIST_LENGTH) -> np.ndarray:
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
    best: np.ndarray, relevant: sparse.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Computes each list's recall and discounted cumulative gain, normalised.

    Args:
        best: see `top`.
        relevant: `[n, items]`, at least one in each row.
    """
    hits = np.take_along_axis(relevant.toarray() > 0, best, 1)
    total = relevant.getnnz(axis=1)
    gain = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(gain)[np.minimum(total, hits.shape[1]) - 1]
    return hits.sum(axis=1) / total, hits @ gain / ideal


def judge(scores: Scores, period: Period) -> dict[str, float]:
    """Evaluates lists of `LIST_LENGTH` items that a user has not taken yet.

    Returns:
        `recall@20`: share of the taken items that are listed; `ndcg@20`;
        `coverage`: share of all items that are in any list. NaN for a period
        without users.
    """
    if not len(period.users):
        return dict.fromkeys(COLUMNS[:3], np.nan)
    seen = period.past.matrix()[period.users]
    listed_items, results = set(), []
    for part in blocks(len(period.users)):
        block_scores = scores(period.rows(part))
        best = top(block_scores, seen[part])
        results.append(recall_and_ndcg(best, period.relevant[part]))
        is_listed = np.isfinite(np.take_along_axis(block_scores, best, 1))
        listed_items.update(np.unique(best[is_listed]).tolist())
    recall, ndcg = (float(x.mean()) for x in np.concatenate(results, axis=1))
    values = recall, ndcg, len(listed_items) / seen.shape[1]
    return dict(zip(COLUMNS, values, strict=False))


def judge_cold(scores: Scores, period: Period) -> float:
    """Computes recall at 20 among only the items that nobody had taken.

    Returns:
        The recall; NaN if nobody took one of them later.
    """
    cold = np.flatnonzero(~period.past.warm)
    relevant = period.relevant[:, cold]
    users = np.flatnonzero(relevant.getnnz(axis=1))
    recalls = [
        recall_and_ndcg(
            top(scores(period.rows(block))[:, cold], None), relevant[block]
        )[0]
        for block in (users[part] for part in blocks(len(users)))
        if len(block)
    ]
    return float(np.concatenate(recalls).mean()) if recalls else np.nan
