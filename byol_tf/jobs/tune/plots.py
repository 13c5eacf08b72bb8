"""Figures of a search: its trials, and the importance of each field."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from byol_tf.reports.drawing import BLUE, GRAY, ORANGE, Target, save_png


def importance(shares: Mapping[str, float], target: Target) -> None:
    """Draws a bar per field, the most important at the top.

    Args:
        shares: by field, in [0, 1].
        target: path or binary file to write a PNG to.
    """
    fields = sorted(shares, key=shares.get)
    figure = Figure(
        figsize=(7.2, 1.2 + 0.42 * len(fields)), layout="constrained"
    )
    axes = figure.add_subplot()
    values = [100 * shares[field] for field in fields]
    bars = axes.barh(fields, values, color=BLUE, height=0.62)
    axes.bar_label(bars, fmt="%.0f %%", padding=4, fontsize=9)
    axes.set_xlim(0, 1.12 * max(*values, 1.0))
    axes.set_xlabel("share of the variance between trials (%)")
    axes.spines[["top", "right"]].set_visible(False)
    save_png(figure, target)


def history(trials: Sequence[Mapping], name: str, target: Target) -> None:
    """Draws the value of each trial, and the best so far.

    Args:
        trials: dicts with `number`, `state` and `value`; those without a value
            are marked below the others.
        name: name of the value.
        target: path or binary file to write a PNG to.
    """
    completed = [t for t in trials if t["state"] == "complete"]
    other_numbers = [t["number"] for t in trials if t["state"] != "complete"]
    numbers = [trial["number"] for trial in completed]
    values = np.array([trial["value"] for trial in completed], np.float64)
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(numbers, values, "o", color=BLUE, markersize=5, label="finished")
    if completed:
        axes.step(
            numbers,
            np.maximum.accumulate(values),
            where="post",
            color=ORANGE,
            label="best so far",
        )
    if other_numbers:
        low = values.min() if completed else 0.0
        axes.plot(
            other_numbers,
            np.full(len(other_numbers), low),
            "x",
            color=GRAY,
            label="ended early or failed",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(name)
    axes.grid(color=GRAY, alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    save_png(figure, target)
