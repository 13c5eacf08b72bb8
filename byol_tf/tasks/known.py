"""Partly unknown values: reading from a table, averages in a loss."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from byol_tf.data.label_table import LabelTable
from byol_tf.lines import number_of


def read_numbers(
    table: LabelTable,
    columns: Sequence[str],
    *,
    low: float = -np.inf,
    high: float = np.inf,
    meaning: str = "",
) -> np.ndarray:
    """Reads columns of numbers in [low, high]; errors say their `meaning`.

    Returns:
        float64 `[n, columns]`; NaN for empty cells.

    Raises:
        ValueError: if a column is missing, or a cell is not such a number.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{table.name} lacks the column {missing[0]!r}. Received: "
            f"{', '.join(map(repr, table.columns))}"
        )
    values = np.full((len(table), len(columns)), np.nan)
    for i, column in enumerate(columns):
        for row, cell in enumerate(table.columns[column]):
            if cell:
                values[row, i] = number = number_of(cell)
                # Also false for NaN.
                if not (np.isfinite(number) and low <= number <= high):
                    between = f" from {low:g} to {high:g}"
                    raise ValueError(
                        f"{table.name}: column {column!r} must have numbers"
                        f"{between if np.isfinite(high - low) else ''}"
                        f"{meaning}, or be empty where unknown. Received: "
                        f"{cell!r} for "
                        f"{table.paths[row]}"
                    )
    return values


def mean_of_known(values: tf.Tensor, is_known: tf.Tensor) -> tf.Tensor:
    """Returns the mean of known values over the last axis, 0 without any.

    Args:
        values: `[batch, n]`, finite everywhere, or the gradient is NaN.
        is_known: bool `[batch, n]`.
    """
    weights = tf.cast(is_known, values.dtype)
    count = tf.maximum(tf.reduce_sum(weights, -1), 1.0)
    return tf.reduce_sum(values * weights, -1) / count


def huber(errors: tf.Tensor, delta: float) -> tf.Tensor:
    """Computes `e^2 / 2`, linear with slope `delta` beyond `delta`.

    Reference: Huber 1964, "Robust estimation of a location parameter".
    """
    size = tf.abs(errors)
    inside = tf.minimum(size, delta)
    return inside * (size - 0.5 * inside)
