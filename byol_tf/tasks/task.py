"""What is to be learned of an image: a head, a loss, metrics, labels."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable

WRITTEN = ("path", "status")  # of every prediction, besides `Task.rows`


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Examples with what is known of them.

    Attributes:
        examples: with the class of each in `labels`, where there is one.
        table: a row of named values for each image, in the same order, or
            None if no file of labels was given.
    """

    examples: Examples
    table: LabelTable | None = None

    def __post_init__(self):
        count = self.examples.num_examples
        if self.table is not None and len(self.table) != count:
            raise ValueError(
                "`table` must have a row for each image, see "
                f"`LabelTable.aligned`. Received: {len(self.table)} rows for "
                f"{count} images"
            )


class Task(abc.ABC):
    """What is to be learned of an image.

    A new task is a subclass in a file of its own: the targets it reads, the
    head and the loss that learn them, the metrics that judge it.

    Targets are float32 `[n, targets]`, NaN where a single value is unknown;
    outputs are float32 `[n, outputs]`, as the head makes them.

    Attributes:
        name: of the task, as in `--task=`.
        metric: name of the metric, of those in `metrics`, that settings are
            chosen by. More is better.
        columns: names of the targets, for instance of the classes.
        moves_with_image: whether the targets change when the image is
            cropped or mirrored; it is then shown whole.
        mixable: whether the mean of two targets is the target of the mean of
            two images, as MixUp and CutMix suppose.
    """

    name: str
    metric: str
    moves_with_image: bool = False
    mixable: bool = True

    def __init__(self, columns: Sequence[str]):
        self.columns = tuple(columns)

    @classmethod
    @abc.abstractmethod
    def of(cls, labelled: Labelled, **options) -> "Task":
        """The task that the labels of the training images describe.

        Raises:
            ValueError: they do not suit this task.
        """

    @abc.abstractmethod
    def targets(self, labelled: Labelled) -> np.ndarray:
        """Targets `[n, targets]`; a row of NaN where nothing is known.

        Raises:
            ValueError: a label is unknown to the task.
        """

    @abc.abstractmethod
    def head(self) -> keras.layers.Layer:
        """A new layer from representations to outputs, float32.

        It saves and loads in safe mode.
        """

    @abc.abstractmethod
    def activation(self) -> str:
        """Name of the Keras activation from outputs to predictions."""

    @abc.abstractmethod
    def loss(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Loss of each example, float32 `[batch]`."""

    @abc.abstractmethod
    def metrics(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> Mapping[str, float]:
        """Metrics of predictions, `metric` among them.

        Args:
            targets: `[n, targets]`.
            predictions: outputs after `activation`, `[n, outputs]`. Those
                that are not finite count as wrong.
        """

    @abc.abstractmethod
    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Groups that a fraction takes alike, int `[n]`, from 0.

        Classes for a classification; all 0 where there are none.
        """

    def in_whole_images(
        self, predictions: np.ndarray, sizes: np.ndarray
    ) -> np.ndarray:
        """Predictions for centre squares, in terms of the whole images.

        Args:
            predictions: `[n, outputs]`.
            sizes: `[n, 2]`, widths and heights of the whole images, see
                `data.centre_square.upright_sizes`.
        """
        return predictions

    @abc.abstractmethod
    def rows(self, predictions: np.ndarray) -> list[dict[str, object]]:
        """What is written of each prediction, by column of a CSV file."""

    def options(self) -> dict[str, object]:
        """Arguments besides `columns` that make an equal task, as JSON."""
        return {}


def headings(names: Sequence[str], *taken: str) -> list[str]:
    """Columns for a value of each name, apart from columns that are taken."""
    taken = {*WRITTEN, *taken}
    return [f"{name} (value)" if name in taken else name for name in names]
