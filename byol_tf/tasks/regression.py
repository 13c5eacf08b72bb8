"""Regression: numbers of an image."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.layers.heads import scaled_head
from byol_tf.tasks.known import huber, mean_of_known, read_numbers
from byol_tf.tasks.task import Labelled, VectorTask, vector_head

DELTA = 3.0  # standard deviations beyond which errors count linearly


class Regression(VectorTask):
    """Predicts numbers of an image, such as weight and height.

    The table has a column for each, empty if unknown. Targets and outputs are
    `[n, columns]` in the units of the table. The loss is in standard
    deviations, so that all columns weigh the same.

    Args:
        columns: names of the columns.
        mean: mean of each column over the training images.
        deviation: standard deviation of each column there, above 0.
    """

    name = "regression"
    metric = "r2"
    prediction = "numbers"

    def __init__(
        self,
        columns: Sequence[str],
        mean: Sequence[float],
        deviation: Sequence[float],
    ):
        super().__init__(columns)
        self.mean = tuple(map(float, mean))
        self.deviation = tuple(map(float, deviation))
        lengths = {len(self.mean), len(self.deviation)}
        if lengths != {len(self.columns)} or not min(self.deviation) > 0:
            raise ValueError(
                "`mean` and `deviation` must have a number for each of "
                f"{', '.join(self.columns)}, deviations above 0. Received: "
                f"mean={self.mean}, deviation={self.deviation}"
            )

    @classmethod
    def of(cls, labelled: Labelled) -> "Regression":
        """Makes the task from the columns of the training table.

        Raises:
            ValueError: if there is no table, or a column is not numeric, or has
                fewer than two numbers that differ in float32.
        """
        columns = tuple(_table(labelled).columns)
        values = read_numbers(labelled.table, columns)
        for column, numbers in zip(columns, values.T, strict=True):
            known = numbers[~np.isnan(numbers)]
            if len(np.unique(known)) < 2:
                raise ValueError(
                    f"regression needs at least two different numbers in a "
                    f"column, but {column!r} of {labelled.table.name} has "
                    f"{'only ' + format(known[0], 'g') if len(known) else 0}; "
                    "fill the column, or remove it"
                )
            _check_precision(column, known)
        return cls(
            columns, np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        )

    def targets(self, labelled: Labelled) -> np.ndarray:
        """Returns float32 `[n, columns]`, NaN if unknown."""
        return read_numbers(_table(labelled), self.columns).astype(np.float32)

    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Gives `numbers`, `[batch, columns]`, in the units of the table."""
        units = list(self.deviation), list(self.mean)
        layer = scaled_head(len(self.columns), *units, name="columns")
        return vector_head(specs, layer, {self.prediction: "linear"})

    def loss(self, targets: tf.Tensor, outputs: Mapping) -> tf.Tensor:
        """Computes half the squared error in deviations, mean of known columns.

        It is linear beyond 3 deviations, against mistyped numbers.
        """
        is_known = ~tf.math.is_nan(targets)
        errors = tf.where(is_known, outputs[self.prediction] - targets, 0.0)
        errors /= tf.constant(self.deviation, tf.float32)
        return mean_of_known(huber(errors, DELTA), is_known)

    def metrics(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> Mapping[str, float]:
        """Computes `r2` and `mean_absolute_error`, also per column.

        They are over the known values; a column without any is a ValueError.
        `r2` is the mean of the columns; for a column with a single value it is
        1 if predicted exactly, else 0.
        """
        scores = {}
        for i, column in enumerate(self.columns):
            is_known = ~np.isnan(targets[:, i])
            if not is_known.any():
                raise ValueError(
                    f"none of {len(targets)} examples has a number in column "
                    f"{column!r} to judge by; label more of them"
                )
            scores[column] = _scores(
                targets[is_known, i], predictions[is_known, i]
            )
        r2, error = np.mean(list(scores.values()), axis=0)
        result = {"r2": r2, "mean_absolute_error": error}
        if len(scores) > 1:
            for column, (column_r2, column_error) in scores.items():
                result[f"r2/{column}"] = column_r2
                result[f"mean_absolute_error/{column}"] = column_error
        return {key: float(value) for key, value in result.items()}

    def options(self) -> dict[str, object]:
        return {"mean": list(self.mean), "deviation": list(self.deviation)}


def _table(labelled):
    if labelled.table is None:
        raise ValueError(
            f"regression needs a file of labels for {labelled.examples.name}, "
            "with a column of numbers for each target"
        )
    return labelled.table


def _check_precision(column, values):
    """Raises a ValueError for numbers that float32 cannot tell apart."""
    with np.errstate(all="ignore"):
        step = np.spacing(np.float32(np.abs(values).max()))  # NaN of infinity
    if not step <= values.std() / 100:
        raise ValueError(
            f"the numbers in column {column!r}, {values.min():.12g} to "
            f"{values.max():.12g}, are too large for 32 bits, or differ too "
            "little for their size; subtract a constant, or take another unit"
        )


def _scores(targets, predictions):
    """Returns coefficient of determination and mean absolute error."""
    if not np.isfinite(predictions).all():
        return -np.inf, np.inf
    targets = targets.astype(np.float64)
    errors = predictions - targets
    residual = np.sum(errors**2)
    total = np.sum((targets - targets.mean()) ** 2)
    r2 = 1 - residual / total if total else float(residual == 0)
    return r2, np.abs(errors).mean()
