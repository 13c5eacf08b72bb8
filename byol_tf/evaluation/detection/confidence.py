"""Confidence thresholds of detections, and confusions between classes.

All at an overlap of 0.5; a pair with less overlap is wrong on both sides.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from byol_tf.evaluation.detection.average_precision import Matches, box_iou
from byol_tf.reports.drawing import (
    BLUE,
    GRAY,
    GREEN,
    Target,
    save_png,
    style,
)

OVERLAP = 0.5
BACKGROUND = "background"


class Curve(NamedTuple):
    """Precision and recall when all above a confidence are shown, each `[n]`.

    Attributes:
        confidence: descending.
        precision: share of the shown predictions that are correct.
        recall: share of the objects that are found.
        f1: harmonic mean of both.
    """

    confidence: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def confidence_curve(matches: Sequence[Matches]) -> Curve:
    """Computes precision, recall and F1 over confidence, pooled over classes.

    Args:
        matches: matches of any classes and images.
    """
    scores = np.concatenate([m.scores for m in matches] or [np.zeros(0)])
    correct, ignored = (
        np.concatenate([getattr(m, k)[0, 0] for m in matches] or [[]])
        for k in ("correct", "ignored")
    )
    objects = sum(int(m.objects[0]) for m in matches)
    order = np.argsort(-scores, kind="stable")
    order = order[~ignored[order].astype(bool)]
    true_positives = np.cumsum(correct[order])
    counts = np.arange(1, len(order) + 1)
    return Curve(
        scores[order],
        true_positives / counts,
        true_positives / max(objects, 1),
        2 * true_positives / (counts + max(objects, 1)),
    )


def best_confidence(curve: Curve) -> float | None:
    """Returns the confidence with the highest F1; None if none is correct."""
    if not len(curve.f1) or not curve.f1.max() > 0:
        return None
    return float(curve.confidence[np.argmax(curve.f1)])


def at_confidence(curve: Curve, confidence: float) -> dict[str, float]:
    """Returns precision, recall and F1 at a confidence threshold."""
    count = int((curve.confidence >= confidence).sum())
    names = ("precision", "recall", "f1")
    if not count:
        return dict.fromkeys(names, 0.0)
    return {name: float(getattr(curve, name)[count - 1]) for name in names}


def match_any_class(
    boxes: np.ndarray, true: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs boxes with objects of any class, most confident first.

    Args:
        boxes: `[n, 4]` by descending confidence.
        true: `[m, 4]`.
        crowd: bool `[m]`.

    Returns:
        Index of each box's object, -1 for none, `[n]`; and whether the box lies
        in a crowd and is ignored.
    """
    overlap = box_iou(boxes, true, crowd)
    chosen, free = np.full(len(boxes), -1), ~crowd
    excused = (overlap[:, crowd] >= OVERLAP).any(axis=1)
    for i, row in enumerate(overlap):
        values = np.where(free, row, 0.0)
        if len(values) and values.max() >= OVERLAP:
            chosen[i] = values.argmax()
            free[chosen[i]] = False
    return chosen, excused & (chosen < 0)


def draw_confidence(
    curves: Mapping[str, Curve], pooled: Curve, best: float, target: Target
) -> None:
    """Draws precision over recall by class, and all three over confidence.

    Args:
        curves: by class.
        pooled: curve of all classes.
        best: confidence to mark.
        target: path or binary file to write a PNG to.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, curve) in enumerate(curves.items()):
        left.plot(
            *(curve.recall, curve.precision),
            **style(i),
            markevery=0.1,
            label=name,
        )
    left.set(xlabel="recall", ylabel="precision, overlap 0.50")
    for name, colour, line in (
        ("f1", BLUE, "-"),
        ("precision", GREEN, "--"),
        ("recall", GRAY, ":"),
    ):
        values = getattr(pooled, name)
        right.plot(pooled.confidence, values, line, color=colour, label=name)
    right.axvline(best, color=GRAY, linewidth=0.8)
    right.set(xlabel=f"confidence (best: {best:.2f})", ylabel="all classes")
    for axes in (left, right):
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(color=GRAY, alpha=0.25, linewidth=0.6)
        axes.legend(frameon=False, fontsize=8)
    save_png(figure, target)
