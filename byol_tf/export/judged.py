"""Computes a task's metric of exports, on stored test examples."""

import operator
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

Predict = Callable[[np.ndarray], Mapping[str, np.ndarray]]


class Judge:
    """Measures predictions of stored rows by the metric of a task.

    Args:
        task: task of the fine-tuned model, see `tasks.task.Task`.
        rows: stored test rows `[n, ...]`.
        targets: their targets, an array or arrays by name.
        batch: rows per batch.
        squares: whether predictions are in pixels of square rows.
    """

    def __init__(self, task, rows, targets, batch: int, squares: bool):
        self.task = task
        self._rows, self._targets = rows, targets
        self._batch, self._squares = batch, squares

    def measure(self, predict: Predict) -> float | None:
        """Returns the metric, or None if these rows do not allow it.

        Args:
            predict: from rows to predictions by name.
        """
        accumulator = self.task.accumulator()
        for start in range(0, len(self._rows), self._batch):
            part = slice(start, start + self._batch)
            rows = self._rows[part]
            decoded = predict(rows)
            if self._squares:
                decoded = self.task.in_squares(decoded, rows.shape[1])
            choose = operator.itemgetter(part)
            targets = tf.nest.map_structure(choose, self._targets)
            accumulator.update(targets, decoded)
        try:
            return float(accumulator.result()[self.task.metric])
        except ValueError:
            return None

    def about(self, value: float, keras: float) -> dict:
        """Returns JSON values of an export with those of the Keras model."""
        return {
            "name": self.task.metric,
            "percent": self.task.percent,
            "exported": value,
            "keras": keras,
            "examples": len(self._rows),
        }
