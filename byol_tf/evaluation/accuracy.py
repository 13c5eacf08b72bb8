"""Accuracies of predictions, with confidence intervals."""

import math

import numpy as np

Z = 1.96  # of a 95 % interval


def top_k_hits(scores: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Returns whether the label is among the k classes with the highest scores.

    For equal scores the smaller class comes first, as in `argmax`.

    Args:
        scores: float `[n, num_classes]`.
        labels: int `[n]` in [0, num_classes).
        k: number of classes, from 1 to num_classes.

    Returns:
        bool `[n]`.

    Raises:
        ValueError: if `k` is out of range.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    classes = scores.shape[1]
    if not 1 <= k <= classes:
        raise ValueError(
            f"`k` must be between 1 and the number of classes, {classes}. "
            f"Received: k={k}"
        )
    label_scores = scores[np.arange(len(labels)), labels][:, None]
    comes_before = np.arange(classes) < labels[:, None]
    ranked_above = (scores > label_scores) | (
        (scores == label_scores) & comes_before
    )
    return ranked_above.sum(axis=1) < k


def bootstrap_interval(
    values: np.ndarray,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Computes the percentile bootstrap interval of a mean.

    Args:
        values: numbers or bools `[n]`, one per example: hits for an accuracy,
            differences of hits for a paired comparison.
        resamples: number of resamples, each of n examples with replacement.
        level: confidence level, in (0, 1).
        seed: seed of the resampling.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: if there are no values, or an argument is out of range.

    Reference: Efron and Tibshirani 1993, "An introduction to the bootstrap",
    chapter 13.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            "`values` must be a vector with at least one entry. "
            f"Received: values.shape={values.shape}"
        )
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(
            "`resamples` must be at least 1 and `level` in (0, 1). "
            f"Received: resamples={resamples}, level={level}"
        )
    generator, count = np.random.default_rng(seed), len(values)
    means = [
        values[generator.integers(count, size=count)].mean()
        for _ in range(resamples)
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def difference(
    ours: float, theirs: float, count: int
) -> tuple[float, float, float]:
    """Computes the difference of two accuracies, and its 95 % interval.

    Both are measured on `count` examples and treated as independent. On the
    same examples they mostly agree, so the interval is then too wide rather
    than too narrow.

    Args:
        ours: accuracy in [0, 1].
        theirs: the accuracy to subtract, in [0, 1].
        count: number of examples of each.

    Returns:
        The difference, and the lower and upper end of its interval, which is
        centred on a difference shrunk towards 0.

    Reference: Agresti and Caffo 2000, "Simple and effective confidence
    intervals for proportions".
    """
    p, q = ((share * count + 1) / (count + 2) for share in (ours, theirs))
    half = Z * math.sqrt((p * (1 - p) + q * (1 - q)) / (count + 2))
    return ours - theirs, p - q - half, p - q + half
