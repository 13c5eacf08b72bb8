"""The figure of a comparison: accuracies, and kNN during training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from byol_tf.reports.drawing import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    Target,
    save_png,
    style,
)

_ACCURACIES = ((ORANGE, "^"), (GREEN, "s"), (BLUE, "o"))


def draw(
    variants: Mapping[str, Mapping],
    accuracies: Sequence[tuple[str, str]],
    curves: Mapping[str, Sequence[Sequence[Mapping]]],
    target: Target,
) -> None:
    """Draws both panels side by side, every variant in both.

    Args:
        variants: by name, with `mean` and `std` in [0, 1] by key, or None.
        accuracies: keys and legends, at most three.
        curves: by name, the lines of `metrics.jsonl` of each of its runs.
        target: path or binary file to write a PNG to.
    """
    height = max(3.6, 1.6 + 0.42 * len(variants))
    figure = Figure(figsize=(12.5, height), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_accuracies(left, variants, accuracies)
    _draw_curves(right, curves)
    for axes in (left, right):
        axes.grid(color=GRAY, alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    save_png(figure, target)


def knn_curve(
    runs: Sequence[Sequence[Mapping]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Averages over runs what was measured at the same epoch.

    Args:
        runs: lines of `metrics.jsonl` of each run.

    Returns:
        Minutes, mean and standard deviation of the kNN accuracy, `[n]` each, at
        the epochs that all runs measured, in order.
    """
    run_points = [
        {
            line["epoch"]: (line["seconds"] / 60, line["knn_accuracy"])
            for line in run
            if line.get("knn_accuracy") is not None
        }
        for run in runs
    ]
    run_points = [run for run in run_points if run]
    common = set.intersection(*map(set, run_points)) if run_points else set()
    if not common:
        return (np.empty(0),) * 3
    points = np.array(
        [[run[epoch] for run in run_points] for epoch in sorted(common)]
    )  # [epochs, runs, 2]
    minutes, knn = points[..., 0].mean(axis=1), points[..., 1]
    return minutes, knn.mean(axis=1), knn.std(axis=1, ddof=knn.shape[1] > 1)


def _draw_accuracies(axes, variants, accuracies):
    rows = np.arange(len(variants))
    for (key, legend), (colour, marker), shift in zip(
        accuracies, _ACCURACIES, (0.18, 0.0, -0.18), strict=False
    ):
        points = [
            (row, statistics[key]["mean"], statistics[key]["std"] or 0.0)
            for row, statistics in zip(rows, variants.values(), strict=True)
            if statistics[key]
        ]
        if points:
            row, mean, std = np.array(points).T
            axes.errorbar(
                100 * mean,
                row - shift,
                xerr=100 * std,
                fmt=marker,
                color=colour,
                capsize=3,
                markersize=5,
                label=legend.removesuffix(" %"),
            )
    axes.set_yticks(rows, list(variants))
    axes.set_ylim(len(variants) - 0.5, -0.5)
    axes.set_xlabel("accuracy (%), test examples")
    axes.legend(frameon=False, fontsize=8.5)


def _draw_curves(axes, curves):
    for index, (name, runs) in enumerate(curves.items()):
        minutes, mean, std = knn_curve(runs)
        if not len(minutes):
            continue
        axes.errorbar(
            minutes,
            100 * mean,
            yerr=100 * std if std.any() else None,
            **style(index),
            markersize=4,
            linewidth=1.4,
            capsize=2,
            label=name,
        )
    axes.set_xlim(left=0)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("kNN accuracy (%), held-out training examples")
    if axes.has_data():
        axes.legend(frameon=False, fontsize=8.5)
