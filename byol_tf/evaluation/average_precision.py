"""Average precision: how well scores rank positives above negatives."""

import numpy as np


def average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """Computes the mean precision over the positives, in (0, 1].

    Sums precision times the gain in recall over the distinct scores, without
    interpolation. Equal scores form one threshold.

    Args:
        targets: 0 or 1 `[n]`.
        scores: finite numbers `[n]`, higher if 1 is more likely.

    Returns:
        The average precision; NaN without a positive.

    Raises:
        ValueError: if shapes or values are invalid.
    """
    targets, scores = np.asarray(targets), np.asarray(scores)
    if targets.ndim != 1 or targets.shape != scores.shape:
        raise ValueError(
            "`targets` and `scores` must be vectors of one length. Received: "
            f"targets.shape={targets.shape}, scores.shape={scores.shape}"
        )
    if not np.isin(targets, (0, 1)).all() or not np.isfinite(scores).all():
        raise ValueError(
            "`targets` must be 0 or 1 and `scores` finite. Received: "
            f"targets from {targets.min()} to {targets.max()}, "
            f"{np.sum(~np.isfinite(scores))} scores that are not finite"
        )
    if not targets.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    positives = np.cumsum(targets[order] == 1)
    # Of examples with equal scores, the last one counts for all.
    last = np.append(np.diff(scores[order]) != 0, True)
    precision = positives[last] / (np.flatnonzero(last) + 1)
    new_positives = np.diff(positives[last], prepend=0)
    return float(np.sum(precision * new_positives) / positives[-1])


def average_precisions(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Computes the average precision of every column, over the known values.

    Args:
        targets: 0, 1 or NaN (unknown) `[n, columns]`.
        scores: `[n, columns]`.

    Returns:
        float64 `[columns]`, NaN if no known value is 1.
    """
    pairs = zip(np.transpose(targets), np.transpose(scores), strict=True)
    masked = ((~np.isnan(t), t, s) for t, s in pairs)
    return np.array([average_precision(t[k], s[k]) for k, t, s in masked])
