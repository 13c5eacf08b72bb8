"""Classification: one class per image."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable
from byol_tf.evaluation.accuracy import top_k_hits
from byol_tf.layers.heads import linear_head
from byol_tf.lines import some
from byol_tf.tasks.task import Labelled, VectorTask, headings, vector_head

COLUMN = "label"
PROBABILITY = "probability"
TOP = 5


class Classification(VectorTask):
    """Predicts one of several classes.

    Labels are those of the images, or a text column of the table: `label`, or
    the only one. Targets are one-hot `[n, classes]`; predictions are
    probabilities.

    Args:
        columns: names of the classes.
        label_smoothing: share of a target that is spread evenly over all
            classes, in [0, 1).
        class_weights: weights in the loss, one positive number per class, used
            as they are; (): equal weights.
    """

    name = "classification"
    metric = "accuracy"
    percent = True
    prediction = "probabilities"

    def __init__(
        self,
        columns: Sequence[str],
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] = (),
    ):
        super().__init__(columns)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must be in [0, 1). Received: "
                f"label_smoothing={label_smoothing}"
            )
        weights = tuple(float(weight) for weight in class_weights)
        if weights and (
            len(weights) != len(self.columns)
            or not all(0 < weight < np.inf for weight in weights)
        ):
            raise ValueError(
                f"`class_weights` must be {len(self.columns)} positive "
                f"numbers, one for each of {', '.join(self.columns)}. "
                f"Received: class_weights={weights}"
            )
        self.label_smoothing = float(label_smoothing)
        self.class_weights = weights

    @classmethod
    def of(
        cls,
        labelled: Labelled,
        label_smoothing: float = 0.0,
        class_weights: str | Sequence[float] = "none",
    ) -> "Classification":
        """Makes the task from the classes of the training images.

        Args:
            labelled: training images.
            label_smoothing: see the class.
            class_weights: "none", "balanced" (images / (classes * images of the
                class)), or a number per class; scaled to a mean of 1 over the
                training images.

        Raises:
            ValueError: if there are no labels, or only one class.
        """
        task = cls(_class_names(labelled), label_smoothing)
        targets = task.targets(labelled)
        counts = np.nansum(targets, axis=0, dtype=np.float64)
        occurring = np.flatnonzero(counts)
        if len(occurring) < 2:
            problem = (
                f"all labels are {task.columns[occurring[0]]!r}"
                if len(occurring)
                else "there are no labels, or all are the same"
            )
            raise ValueError(
                "classification needs labels of two classes or more, but in "
                f"{labelled.examples.name} {problem}; put the files of a "
                "folder into at least two sub-folders, named after the "
                "classes, name the column of labels of a table by "
                "--config.data.label_column, or give a file of labels by "
                "--config.labels_file"
            )
        weights = _weights(class_weights, counts)
        return cls(task.columns, label_smoothing, weights)

    def targets(self, labelled: Labelled) -> np.ndarray:
        """Returns one-hot float32 `[n, classes]`; NaN for no label."""
        names = _names(labelled)
        index = {name: i for i, name in enumerate(self.columns)}
        unknown = sorted(set(names) - set(index) - {""})
        if unknown:
            raise ValueError(
                f"{labelled.examples.name} has classes that the training "
                f"examples lack: {some(unknown, 5)}; the known ones are "
                f"{some(self.columns, 5)}"
            )
        targets = np.full((len(names), len(self.columns)), np.nan, np.float32)
        for row, name in enumerate(names):
            if name:
                targets[row] = 0
                targets[row, index[name]] = 1
        return targets

    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Gives `logits` and `probabilities`, `[batch, classes]`."""
        layer = linear_head(len(self.columns), name="classes")
        return vector_head(
            specs, layer, {"logits": "linear", self.prediction: "softmax"}
        )

    def loss(self, targets: tf.Tensor, outputs: Mapping) -> tf.Tensor:
        """Computes cross entropy with smoothing and class weights.

        Mixed targets are weighted by the mean of their classes. Without a label
        the loss is 0.
        """
        targets = tf.where(tf.math.is_nan(targets), 0.0, targets)
        if self.class_weights:
            targets *= tf.constant(self.class_weights, tf.float32)
        # Smooth after weighting, or rare classes would outweigh the true one.
        uniform = tf.reduce_sum(targets, -1, keepdims=True) / len(self.columns)
        targets += self.label_smoothing * (uniform - targets)
        log_probabilities = tf.nn.log_softmax(outputs["logits"])
        return -tf.reduce_sum(targets * log_probabilities, -1)

    def metrics(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> Mapping[str, float]:
        """Computes accuracies in [0, 1] over the labelled examples.

        `accuracy`; `top5_accuracy` with more than five classes;
        `balanced_accuracy`, the mean over the occurring classes.
        """
        labels = self.strata(targets)
        is_labelled = labels >= 0
        labels, predictions = labels[is_labelled], predictions[is_labelled]
        finite = np.isfinite(predictions).all(axis=1)
        if not len(labels):
            raise ValueError(
                "accuracy needs examples with a label, but none of "
                f"{len(targets)} has one"
            )
        hits = top_k_hits(predictions, labels, 1) & finite
        result = {"accuracy": hits.mean()}
        if len(self.columns) > TOP:
            top = top_k_hits(predictions, labels, TOP) & finite
            result["top5_accuracy"] = top.mean()
        result["balanced_accuracy"] = np.mean(
            [hits[labels == label].mean() for label in np.unique(labels)]
        )
        return {key: float(value) for key, value in result.items()}

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Returns the class of each image; -1 for no label."""
        is_labelled = ~np.isnan(targets).any(axis=1)
        return np.where(is_labelled, np.nan_to_num(targets).argmax(axis=1), -1)

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[dict]:
        """Returns `label`, its `probability`, and that of every class."""
        predictions = decoded[self.prediction]
        best = predictions.argmax(axis=1)
        columns = headings(self.columns, COLUMN, PROBABILITY)
        return [
            {
                COLUMN: self.columns[label],
                PROBABILITY: float(row[label]),
                **dict(zip(columns, map(float, row), strict=True)),
            }
            for label, row in zip(best, predictions, strict=True)
        ]

    def options(self) -> dict[str, object]:
        return {
            "label_smoothing": self.label_smoothing,
            "class_weights": list(self.class_weights),
        }


def _names(labelled: Labelled) -> Sequence[str]:
    """Returns the class name of each image; "" for none."""
    if labelled.table is not None:
        return labelled.table.columns[_label_column(labelled.table)]
    names = ("", *_names_of_labels(labelled.examples))
    return [names[label + 1] for label in labelled.examples.labels]


def _class_names(labelled: Labelled) -> Sequence[str]:
    if labelled.table is not None:
        return sorted(set(_names(labelled)) - {""})
    return _names_of_labels(labelled.examples)


def _names_of_labels(images: Examples) -> tuple[str, ...]:
    names = images.class_names
    return names + tuple(map(str, range(len(names), images.num_classes)))


def _label_column(table: LabelTable) -> str:
    if COLUMN in table.columns:
        return COLUMN
    if len(table.columns) == 1:
        return next(iter(table.columns))
    raise ValueError(
        f"{table.name} must have a column {COLUMN!r}, or only one besides the "
        f"path. Received: {', '.join(map(repr, table.columns))}"
    )


def _weights(weights, counts):
    """Returns weights with mean 1 over the training images; (): equal."""
    if isinstance(weights, str):
        if weights not in ("none", "balanced"):
            raise ValueError(
                "`class_weights` must be 'none', 'balanced' or a number per "
                f"class. Received: class_weights={weights!r}"
            )
        if weights == "none":
            return ()
        weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    weights = np.asarray(weights, np.float64)
    if weights.shape != counts.shape:
        return tuple(weights.ravel())  # the constructor refuses it
    return tuple(weights * counts.sum() / (weights * counts).sum())
