"""Multi-label classification: several tags per image."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.evaluation.average_precision import average_precisions
from byol_tf.layers.heads import linear_head
from byol_tf.lines import some
from byol_tf.tasks.known import mean_of_known, read_numbers
from byol_tf.tasks.task import Labelled, VectorTask, headings, vector_head

COLUMN = "labels"
SEPARATOR = ";"  # separates tags in the column `labels`
FOLDER_SEPARATOR = "+"  # separates tags in the name of a sub-folder
THRESHOLD = 0.5  # lowest probability of a predicted tag


class MultiLabel(VectorTask):
    """Predicts which of several tags apply to an image.

    Tags come from a table with a column of 0 and 1 for each, empty if unknown;
    from a table with a column `labels` of names joined by `;`, empty if none
    applies (of texts: the column `data.label_column`); or, without a table,
    from the names of sub-folders joined by `+`, as in `red+round/1.png` (a
    folder `+` holds images without a tag). Targets are 0 or 1 `[n, tags]`,
    predictions are probabilities.

    Args:
        columns: names of the tags.
    """

    name = "multilabel"
    metric = "mean_average_precision"
    percent = True
    prediction = "probabilities"

    @classmethod
    def of(cls, labelled: Labelled) -> "MultiLabel":
        """Makes the task from the tags of the training images.

        Raises:
            ValueError: if there is no tag, or no image has any.
        """
        names = _names(labelled)
        if names is None:
            tags = list(labelled.table.columns)
        else:
            tags = sorted(set().union(*(n for n in names if n is not None)))
        task = cls(tags)
        if not (task.targets(labelled) > 0).any():
            raise ValueError(
                f"multilabel needs tags, but {labelled.examples.name} has "
                f"none; give a file of labels with a column of 0 and 1 for "
                f"each tag, or with a column {COLUMN!r} of names joined by "
                f"{SEPARATOR!r} (of texts: --config.data.label_column={COLUMN})"
                f", or name the sub-folders like 'red{FOLDER_SEPARATOR}round'"
            )
        return task

    def targets(self, labelled: Labelled) -> np.ndarray:
        """Returns float32 `[n, tags]`, 0 or 1, NaN if unknown.

        Warns of tags that no training example has, and leaves them out: a rare
        one may be in the test set alone.
        """
        names = _names(labelled)
        if names is None:
            return self._from_columns(labelled.table)
        index = {tag: i for i, tag in enumerate(self.columns)}
        unknown = sorted(
            set().union(*(n for n in names if n is not None)) - set(index)
        )
        if unknown:
            logging.warning(
                "%s: no training example has the tags %s; they are left out.",
                *(labelled.examples.name, some(unknown, 5)),
            )
        targets = np.full((len(names), len(index)), np.nan, np.float32)
        for row, tags in enumerate(names):
            if tags is not None:
                targets[row] = 0
                targets[row, [index[tag] for tag in tags if tag in index]] = 1
        return targets

    def _from_columns(self, table):
        values = read_numbers(table, self.columns, low=0, high=1)
        between = np.argwhere((values > 0) & (values < 1))
        if len(between):
            row, column = between[0]
            raise ValueError(
                f"{table.name}: column {self.columns[column]!r} must have 0 "
                f"or 1, or be empty where unknown. Received: "
                f"{values[row, column]:g} for {table.paths[row]}"
            )
        return values.astype(np.float32)

    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Gives `logits` and `probabilities`, `[batch, tags]`."""
        layer = linear_head(len(self.columns), name="tags")
        return vector_head(
            specs, layer, {"logits": "linear", self.prediction: "sigmoid"}
        )

    def loss(self, targets: tf.Tensor, outputs: Mapping) -> tf.Tensor:
        """Computes sigmoid cross entropy, mean over the known tags."""
        is_known = ~tf.math.is_nan(targets)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.where(is_known, targets, 0.0),
            logits=outputs["logits"],
        )
        return mean_of_known(losses, is_known)

    def metrics(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> Mapping[str, float]:
        """Computes `mean_average_precision`, `micro_f1`, and one value per tag.

        `average_precision/<tag>` is over the images for which it is known; NaN,
        and left out of the mean, if no image has it. `micro_f1` is over all
        known values, with a threshold of 0.5.

        Raises:
            ValueError: if no image has a tag.
        """
        finite = np.isfinite(predictions)
        predictions = np.where(finite, predictions, 0.0)
        precisions = average_precisions(targets, predictions)
        if np.isnan(precisions).all():
            raise ValueError(
                "average precision needs examples with a tag, but none of "
                f"{len(targets)} has one; label more of them"
            )
        is_predicted = predictions >= THRESHOLD
        hits = np.sum(is_predicted & (targets == 1))
        wrong = np.sum(is_predicted & (targets == 0))
        missed = np.sum(~is_predicted & (targets == 1))
        return {
            "mean_average_precision": float(np.nanmean(precisions)),
            "micro_f1": float(2 * hits / (2 * hits + wrong + missed)),
            **{
                f"average_precision/{tag}": float(value)
                for tag, value in zip(self.columns, precisions, strict=True)
            },
        }

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[dict]:
        """Returns `labels`, joined by `;`, and the probability of every tag."""
        result, columns = [], headings(self.columns, COLUMN)
        for row in decoded[self.prediction]:
            tags = [
                tag
                for tag, value in zip(self.columns, row, strict=True)
                if value >= THRESHOLD
            ]
            values = dict(zip(columns, map(float, row), strict=True))
            result.append({COLUMN: SEPARATOR.join(tags), **values})
        return result


def _names(labelled):
    """Returns the tags of each image, None if unknown.

    Returns None instead of the list if the table has a column for each tag.
    """
    if labelled.table is None:
        examples = labelled.examples
        # The labels of texts are a column of their own table.
        of_table = (examples.taken or {}).get("layout") == "table"
        separator, empty = (
            (SEPARATOR, ()) if of_table else (FOLDER_SEPARATOR, None)
        )
        tags = [_split(name, separator) for name in examples.class_names]
        return [
            tags[label] if 0 <= label < len(tags) else empty
            for label in examples.labels
        ]
    if COLUMN not in labelled.table.columns:
        return None
    return [_split(cell, SEPARATOR) for cell in labelled.table.columns[COLUMN]]


def _split(text: str, separator: str) -> Sequence[str]:
    tags = (tag.strip() for tag in text.split(separator))
    return [tag for tag in tags if tag]
