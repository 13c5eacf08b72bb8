"""Confusion matrices: counts, and a figure of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from byol_tf.reports.drawing import BLACK, BLUE, GRAY, RED, Target, save_png

_MOST_NUMBERED = 20  # up to this many classes, cells show percentages
_MOST_BARS = 20  # classes in the panel of accuracies


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts examples by label (rows) and prediction (columns).

    Args:
        labels: int `[n]` in [0, num_classes).
        predictions: int `[n]` in [0, num_classes).
        num_classes: number of classes.

    Returns:
        int64 `[num_classes, num_classes]`.
    """
    cells = np.asarray(labels, np.int64) * num_classes + predictions
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def per_class_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Returns the accuracy of each class, `[classes]`; NaN without examples."""
    totals = matrix.sum(axis=1)
    return np.where(totals, np.diag(matrix) / np.maximum(totals, 1), np.nan)


def most_confused(
    matrix: np.ndarray, limit: int = 10
) -> list[tuple[int, int, int]]:
    """Returns up to `limit` (label, prediction, count), by descending count."""
    errors = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-errors, axis=None, kind="stable")[:limit]
    pairs = zip(*np.unravel_index(order, errors.shape), strict=True)
    return [
        (int(label), int(other), int(errors[label, other]))
        for label, other in pairs
        if errors[label, other]
    ]


def draw_confusion(
    matrix: np.ndarray,
    target: Target,
    *,
    class_names: Sequence[str],
    title: str = "",
) -> None:
    """Draws the matrix, the accuracy of each class and the commonest errors.

    Args:
        matrix: result of `confusion_matrix`, not empty.
        target: path or binary file to write a PNG to.
        class_names: a name per class.
        title: title of the figure.

    Raises:
        ValueError: if there are no examples, or not one name per class.
    """
    if len(class_names) != len(matrix) or not matrix.sum():
        raise ValueError(
            "`matrix` must hold examples, and `class_names` a name for each "
            f"of its {len(matrix)} classes. Received: {matrix.sum()} examples "
            f"and {len(class_names)} names"
        )
    names = [n if len(n) <= 18 else n[:17] + "…" for n in class_names]
    figure = Figure(figsize=(13, 6.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
    _draw_matrix(left.subplots(), matrix, names)
    upper, lower = right.subplots(2, 1)
    _draw_accuracies(upper, matrix, names)
    _draw_errors(lower, matrix, names)
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    save_png(figure, target)


def _draw_matrix(axes, matrix, names):
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xlabel("predicted", fontsize=9, color=GRAY)
    axes.set_ylabel("class", fontsize=9, color=GRAY)
    axes.set_title("Share of each class (%)", fontsize=10, loc="left")
    if len(names) > _MOST_NUMBERED:
        return
    ticks = range(len(names))
    axes.set_xticks(ticks, names, fontsize=8, rotation=45, ha="right")
    axes.set_yticks(ticks, names, fontsize=8)
    for row, column in np.argwhere(shares >= 0.5):
        share = shares[row, column]
        colour = "white" if share > 50 else BLACK
        centred = {"ha": "center", "va": "center", "fontsize": 7.5}
        axes.text(column, row, f"{share:.0f}", color=colour, **centred)


def _draw_accuracies(axes, matrix, names):
    accuracies = 100 * per_class_accuracy(matrix)
    order = np.argsort(accuracies, kind="stable")
    order = order[np.isfinite(accuracies[order])][:_MOST_BARS]
    labels = [names[index] for index in order]
    texts = [f"{accuracies[index]:.1f}" for index in order]
    _bars(axes, labels, accuracies[order], texts, BLUE)
    suffix = " (lowest)" if len(order) < len(names) else ""
    axes.set_title(f"Accuracy by class (%){suffix}", fontsize=10, loc="left")


def _draw_errors(axes, matrix, names):
    pairs = most_confused(matrix)
    labels = [f"{names[a]} → {names[b]}" for a, b, _ in pairs]
    counts = [count for *_, count in pairs]
    totals = matrix.sum(axis=1)
    texts = [f"{n}  ({100 * n / totals[a]:.1f} %)" for a, _, n in pairs]
    _bars(axes, labels, counts, texts, RED)
    axes.set_title(
        "Commonest errors: class → prediction", fontsize=10, loc="left"
    )


def _bars(axes, labels, values, texts, colour):
    bars = axes.barh(range(len(labels)), values, color=colour, height=0.7)
    axes.bar_label(bars, texts, padding=3, fontsize=8, color=BLACK)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.15)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
