"""Plots of numbers: curves of a run, and maps of representations."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from byol_tf.reports.drawing import (
    BLACK,
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    Target,
    save_png,
    style,
)

# Panel title, then (legend, key, colour, line style).
_PANELS = (
    ("Loss", [("loss", "loss", BLUE, "-")]),
    (
        "Accuracy (%)",
        [
            ("kNN", "knn_accuracy", GREEN, "-"),
            ("linear probe, training", "probe_accuracy", RED, "--"),
        ],
    ),
    (
        "Feature spread (0 = collapse)",
        [
            ("monitor", "feature_std", BLUE, "-"),
            ("training batch", "batch_feature_std", SKY, "--"),
            ("projections", "projection_std", PURPLE, "-."),
        ],
    ),
    ("Effective rank", [("rank", "effective_rank", PURPLE, "-")]),
    ("Learning rate", [("rate", "learning_rate", ORANGE, "-")]),
    ("Target momentum tau", [("tau", "tau", BLACK, "-")]),
)


def curves(metrics: Sequence[dict], target: Target) -> None:
    """Draws the metrics of a run over its steps.

    Args:
        metrics: lines of `metrics.jsonl`: dicts with `step` and any of `loss`,
            `learning_rate`, `tau`, `knn_accuracy`, `probe_accuracy`,
            `feature_std`, `batch_feature_std`, `projection_std`,
            `effective_rank`. Accuracies are in [0, 1]. Panels without any
            value are left out.
        target: path or binary file to write a PNG to.

    Raises:
        ValueError: if no line has any of these.
    """
    panels = []
    for title, lines in _PANELS:
        series = [(line, *_series(metrics, line)) for line in lines]
        series = [entry for entry in series if len(entry[1])]
        if series:
            panels.append((title, series))
    if not panels:
        raise ValueError(
            "`metrics` must hold lines with `step` and numbers to draw. "
            f"Received: {len(metrics)} lines without any"
        )
    columns = min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4 * columns, 2.7 * rows), layout="constrained")
    for index, (title, series) in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, index)
        _draw_panel(axes, title, series)
    save_png(figure, target)


def _series(metrics, line):
    """Returns steps and values of the lines with a finite value."""
    _, key, _, _ = line
    points = [
        (entry["step"], entry[key])
        for entry in metrics
        if entry.get(key) is not None and math.isfinite(entry[key])
    ]
    steps, values = np.array(points, np.float64).reshape(-1, 2).T
    return steps, values * 100 if key.endswith("accuracy") else values


def _draw_panel(axes, title, series):
    for (name, _, colour, line), steps, values in series:
        marker = "o" if len(steps) <= 30 else None
        axes.plot(
            steps,
            values,
            line,
            color=colour,
            label=name,
            linewidth=1.6,
            marker=marker,
            markersize=3.5,
        )
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("step", fontsize=8.5, color=GRAY)
    axes.tick_params(labelsize=8.5, color=GRAY)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    if series[0][0][1] in ("feature_std", "effective_rank"):
        axes.set_ylim(bottom=0)  # a collapse shows as a fall to zero
    if len(series) > 1:
        axes.legend(fontsize=8, frameon=False)


def before_after_scatter(
    before: np.ndarray,
    after: np.ndarray,
    labels: np.ndarray | None,
    target: Target,
    *,
    class_names: Sequence[str] | None = None,
    limit: int = 1000,
) -> None:
    """Plots the same inputs in the plane before and after training.

    Each side uses its own two principal components of unit vectors, which kNN
    compares too.

    Args:
        before: float `[n, dim]` of the untrained encoder.
        after: float `[n, dim]` of the trained one; dims may differ.
        labels: None, or int `[n]`, -1 if unknown.
        target: path or binary file to write a PNG to.
        class_names: a name per label; None: show numbers.
        limit: number of points drawn, evenly spaced over the inputs.

    Raises:
        ValueError: if shapes differ, there are too few points, or values are
            not finite.
    """
    before, after = np.asarray(before), np.asarray(after)
    if len(before) != len(after) or len(before) < 3:
        raise ValueError(
            "`before` and `after` must be of the same inputs, at least 3. "
            f"Received: {before.shape} and {after.shape}"
        )
    labels = np.full(len(before), -1) if labels is None else np.asarray(labels)
    positions = np.linspace(0, len(before) - 1, min(limit, len(before)))
    positions = np.unique(positions.astype(int))
    figure = Figure(figsize=(11.2, 4.8), layout="constrained")
    sides = figure.subplots(1, 2)
    for axes, features, name in zip(
        sides, (before, after), ("Before training", "After"), strict=True
    ):
        points, axis_names = _plane(features[positions])
        _scatter(axes, points, labels[positions])
        axes.set_title(name, fontsize=11, loc="left")
        axes.set_xlabel(axis_names[0], fontsize=8.5, color=GRAY)
        axes.set_ylabel(axis_names[1], fontsize=8.5, color=GRAY)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#d0d0d0")
    _class_legend(figure, np.unique(labels[positions]), class_names)
    save_png(figure, target)


def _plane(features):
    """Returns points `[n, 2]` and the labels of their axes."""
    features = np.asarray(features, np.float64)
    if not np.isfinite(features).all():
        raise ValueError(
            "`before` and `after` must be finite. Received: features with "
            "NaN or infinite values"
        )
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.where(lengths > 0, lengths, 1)
    centred = features - features.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(features), 2))
    dims = min(2, len(singular))
    points[:, :dims] = (left * singular)[:, :dims]
    shares = np.zeros(2)
    shares[:dims] = singular[:dims] ** 2 / max(np.sum(singular**2), 1e-30)
    names = [
        f"component {i + 1} ({100 * share:.0f} % of the variance)"
        for i, share in enumerate(shares)
    ]
    return points, names


def _style(label):
    if label < 0:
        return {"color": "#b0b0b0", "marker": "."}
    return style(label)


def _scatter(axes, points, labels):
    for label in np.unique(labels):
        x, y = points[labels == label].T
        axes.scatter(x, y, s=15, alpha=0.75, linewidths=0, **_style(label))


def _class_legend(figure, labels, class_names):
    if len(labels) > 24 or (len(labels) == 1 and labels[0] < 0):
        return
    names = dict(enumerate([] if class_names is None else class_names))
    names[-1] = "no label"
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            markersize=6,
            label=str(names.get(int(label), label)),
            **_style(label),
        )
        for label in labels
    ]
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=8.5
    )
