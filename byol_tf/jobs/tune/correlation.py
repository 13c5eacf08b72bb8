"""How well one number predicts the order of another."""

import math
from collections.abc import Sequence

from scipy import stats

FEWEST = 3  # pairs that have an order worth telling


def rank_correlation(
    first: Sequence[float | None], second: Sequence[float | None]
) -> dict[str, float] | None:
    """Spearman's rho and Kendall's tau-b of pairs.

    Args:
        first: numbers; None or not finite leaves the pair out.
        second: as many numbers.

    Returns:
        `spearman` and `kendall` in [-1, 1], and `trials`, the pairs that
        counted; None for fewer than three, or if one side is constant.
    """
    pairs = [pair for pair in zip(first, second, strict=True) if _known(*pair)]
    if len(pairs) < FEWEST:
        return None
    sides = list(zip(*pairs, strict=True))
    if any(len(set(side)) == 1 for side in sides):
        return None
    return {
        "spearman": float(stats.spearmanr(*sides).statistic),
        "kendall": float(stats.kendalltau(*sides).statistic),
        "trials": len(pairs),
    }


def _known(*values):
    return all(value is not None and math.isfinite(value) for value in values)
