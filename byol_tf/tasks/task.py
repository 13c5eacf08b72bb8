"""What is learned of an example: a head, a loss, metrics, labels."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.annotations.check import Boxes
from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable
from byol_tf.lines import nfc
from byol_tf.tasks.drawn import Mark

WRITTEN = ("path", "status")  # of every prediction, besides `Task.rows`
VECTOR = "vector"  # name of the representation among an encoder's outputs

# One array, or arrays by name; the first axis counts examples.
Arrays = np.ndarray | Mapping[str, np.ndarray]
Tensors = tf.Tensor | Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Examples with what is known of them.

    Attributes:
        examples: with the class of each in `labels`, where there is one.
        table: a row of named values for each image, in the same order, or
            None if no file of labels was given.
        boxes: objects in the images, in the same order; None if no file says
            where they are.
    """

    examples: Examples
    table: LabelTable | None = None
    boxes: Boxes | None = None

    def __post_init__(self):
        count = self.examples.num_examples
        if self.table is not None and len(self.table) != count:
            raise ValueError(
                "`table` must have a row for each image, see "
                f"`LabelTable.aligned`. Received: {len(self.table)} rows for "
                f"{count} images"
            )


class Accumulator(Protocol):
    """Metrics of predictions that come batch by batch."""

    def update(self, targets: Arrays, decoded: Mapping[str, np.ndarray]):
        """Adds a batch: its targets, and what `Task.decode` gave for it."""

    def result(self) -> dict[str, float]:
        """Metrics of all batches, `Task.metric` among them.

        Raises:
            ValueError: nothing is known to judge by.
        """


class Task(abc.ABC):
    """Defines what fine-tuning learns from an example.

    A new task is a subclass in a file of its own. `VectorTask` does most of
    it for one number a column.

    Targets are an array `[n, ...]`, or a dict of padded arrays by name;
    outputs are tensors by name, as the head gives them. Where an axis of the
    features is padded, the outputs have its `length`, int32 `[batch]`.

    Attributes:
        name: of the task, as in `--task=`.
        metric: of the accumulator's, that settings are chosen by. More is
            better.
        percent: whether `metric` is a share, which tables show in percent.
        columns: names of the targets, for instance of the classes.
        whole_images: whether examples are whole images, letterboxed, since
            targets may lie anywhere; targets are then in fractions of their
            squares, see `points.into_whole`. Else they are centre squares.
        side: pixels of a side of whole images; 0 for that of the encoder.
        view: options of the random views, for `Modality.train_view`, where
            no others are given.
        clip_norm: gradients of a larger norm are scaled down to it; 0 for
            none.
        signature: name of the signature of an export that predicts.
        each: what metrics are of that have a name behind a slash.
        moves_with_image: whether the targets change when the image is
            cropped or mirrored, see `move`.
        shown_whole: whether a training step shows whole images, without
            random crops and flips.
        sequences: whether it says something of each step of a whole row, such
            as a sound, see `Encoder.sequence`.
        shown: further metrics that tables have, shares in percent.
        mixable: whether targets can be averaged as MixUp and CutMix do.
    """

    name: str
    metric: str
    percent: bool = False
    whole_images: bool = False
    side: int = 0
    view: Mapping[str, object] = MappingProxyType({})
    clip_norm: float = 0.0
    each: str = "class"
    signature: str = "predict"
    moves_with_image: bool = False
    shown_whole: bool = False
    sequences: bool = False
    shown: tuple[str, ...] = ()
    mixable: bool = True

    def __init__(self, columns: Sequence[str]):
        self.columns = tuple(nfc(str(name)) for name in columns)

    @classmethod
    @abc.abstractmethod
    def of(cls, labelled: Labelled, **options) -> "Task":
        """The task that the labels of the training images describe.

        Raises:
            ValueError: they do not suit this task.
        """

    @abc.abstractmethod
    def targets(self, labelled: Labelled) -> Arrays:
        """Targets of all examples, see the class.

        Raises:
            ValueError: a label is unknown to the task.
        """

    def known(self, targets: Arrays) -> np.ndarray:
        """Whether any number of an example's targets is not NaN, bool `[n]`.

        Override it where an example with nothing to find is known too.
        """
        arrays = [np.asarray(array) for array in tf.nest.flatten(targets)]
        floats = [array for array in arrays if array.dtype.kind == "f"]
        found = np.full(len(arrays[0]), not floats)
        for array in floats:
            found |= ~np.isnan(array.reshape(len(array), -1)).all(axis=1)
        return found

    def fits(self, targets: Arrays, lengths: np.ndarray) -> np.ndarray:
        """Whether so many steps are enough for the targets, bool `[n]`.

        Args:
            targets: of all examples.
            lengths: int `[n]`, steps of the level that `consumes` names first.
        """
        return np.ones(len(lengths), bool)

    def strata(self, targets: Arrays) -> np.ndarray:
        """Groups that a fraction takes alike, int `[n]`, from 0.

        Classes for a classification; all 0 where there are none.
        """
        return np.zeros(len(tf.nest.flatten(targets)[0]), np.int64)

    def consumes(self, levels: Mapping[str, int]) -> tuple[str, ...]:
        """Names of the features that the head takes: "vector", or levels.

        Args:
            levels: strides of the encoder's levels by name, such as
                `{"P2": 4, "P3": 8}`. Choose by stride: encoders differ.
        """
        return (VECTOR,)

    @abc.abstractmethod
    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """A new model from the features to the outputs, both by name, float32.

        It saves and loads in safe mode.

        Args:
            specs: of the features that `consumes` names, `[None, ...]`.
        """

    @abc.abstractmethod
    def loss(self, targets: Tensors, outputs: Mapping) -> tf.Tensor:
        """Loss of each example, float32 `[batch]`."""

    def move(self, targets: Tensors, where: Mapping) -> Tensors:
        """The targets of random views, given those of the whole images.

        Args:
            targets: of a batch.
            where: the place of each view, see `View.draw_with_where`.
        """
        return targets

    @abc.abstractmethod
    def decode(
        self, outputs: Mapping, origin: Mapping | None = None
    ) -> dict[str, tf.Tensor]:
        """Predictions by name, in TensorFlow: exports hold it as well.

        Args:
            outputs: of a batch.
            origin: what was prepared for the encoder: of images `size`, int
                `[batch, 2]`, width and height of the whole image. None
                predicts in terms of what is shown, as targets are.
        """

    def words(self, decoded: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings by name of what `decode` gave, for forms that hold them."""
        return {}

    def as_decoded(
        self, targets: Mapping[str, np.ndarray] | np.ndarray
    ) -> Mapping[str, np.ndarray] | None:
        """Targets in the form of `decode`, to be drawn; None without places."""
        return None

    def in_squares(
        self, decoded: Mapping[str, np.ndarray], side: int
    ) -> Mapping[str, np.ndarray]:
        """What `decode` would give without the origin of square images.

        Args:
            decoded: of images of `side` by `side` pixels, with their origin.
            side: pixels.
        """
        return decoded

    def joined(
        self, decoded: Mapping[str, np.ndarray], places: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """One prediction of those of an image and its parts.

        Args:
            decoded: with the origin of each part.
            places: of the parts in the image, see `tiled.tile_places`.

        Raises:
            ValueError: predictions of parts make none of the whole.
        """
        raise ValueError(
            f"predictions of {self.name} are of whole images; leave out --tiles"
        )

    @abc.abstractmethod
    def rows(self, decoded: Mapping[str, np.ndarray]) -> list:
        """For each example a dict by column of a CSV file.

        Or a list of such dicts where it has several predictions or none.
        """

    def results(self, decoded: Mapping[str, np.ndarray]) -> list[list[dict]]:
        """For each example its predictions as entries of COCO's results.

        Raises:
            ValueError: the task has no such form.
        """
        raise ValueError(
            f"predictions of {self.name} are written as CSV; name a file "
            "--out=predictions.csv"
        )

    def marks(
        self, rows: Sequence[Mapping], width: int, height: int
    ) -> list[Mark]:
        """What to draw of an image's `rows`, in pixels.

        Args:
            rows: of one image, see `rows`.
            width: of the whole image, in pixels.
            height: of the whole image, in pixels.

        Raises:
            ValueError: predictions have no place in the image.
        """
        raise ValueError(
            f"predictions of {self.name} have no place to draw; name a file "
            "--out=predictions.csv"
        )

    @abc.abstractmethod
    def accumulator(self) -> Accumulator:
        """A new accumulator. Predictions that are not finite are wrong."""

    def constant(self, targets: Arrays) -> dict[str, np.ndarray] | None:
        """The best constant guess, as `decode` gives one example without axis.

        What a task must beat to have learned anything; None where the metric
        says so by itself.

        Args:
            targets: of the training images.
        """
        return None

    def guesses(self) -> list[str]:
        """Lines for a person on what was decided without being asked."""
        return []

    def options(self) -> dict[str, object]:
        """Arguments besides `columns` that make an equal task, as JSON."""
        return {}


class VectorTask(Task):
    """Predicts numbers `[n, columns]` from the vector; base of such tasks.

    A subclass says `prediction`, `metrics`, and `of` to `loss` of `Task`.

    Attributes:
        prediction: name of the output that holds the predictions.
    """

    prediction: str

    def decode(
        self, outputs: Mapping, origin: Mapping | None = None
    ) -> dict[str, tf.Tensor]:
        return {self.prediction: outputs[self.prediction]}

    @abc.abstractmethod
    def metrics(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> Mapping[str, float]:
        """Metrics of all predictions at once, see `Accumulator.result`."""

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[dict]:
        """The number of every column."""
        columns = headings(self.columns)
        return [
            dict(zip(columns, map(float, row), strict=True))
            for row in decoded[self.prediction]
        ]

    def accumulator(self) -> Accumulator:
        return Collected(self.metrics, self.prediction)


class Collected:
    """Keeps a few numbers an example: an average precision needs them all."""

    def __init__(self, metrics: Callable, prediction: str):
        self._metrics, self._prediction = metrics, prediction
        self._targets, self._predictions = [], []

    def update(self, targets, decoded):
        self._targets.append(targets)
        self._predictions.append(decoded[self._prediction])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All targets and predictions so far."""
        return np.concatenate(self._targets), np.concatenate(self._predictions)

    def result(self):
        return dict(self._metrics(*self.arrays()))


def take(arrays: Arrays, index) -> Arrays:
    """The examples at an index or slice, of one array or of each by name."""
    return tf.nest.map_structure(lambda array: array[index], arrays)


def vector_head(
    specs: Mapping[str, tf.TensorSpec],
    layer: keras.layers.Layer,
    activations: Mapping[str, str],
) -> keras.Model:
    """A head from the vector: a layer, and its outputs by name.

    Args:
        specs: see `Task.head`.
        layer: from vectors to numbers.
        activations: Keras activation of each output, "linear" for none.
    """
    inputs = head_inputs(specs)
    values = layer(inputs[VECTOR])
    outputs = {
        name: keras.layers.Activation(word, dtype="float32", name=name)(values)
        for name, word in activations.items()
    }
    return keras.Model(inputs, outputs, name="head")


def head_inputs(specs: Mapping[str, tf.TensorSpec]) -> dict:
    """Keras inputs of a head by name, float32."""
    return {
        name: keras.Input(spec.shape[1:], dtype="float32", name=name)
        for name, spec in specs.items()
    }


def headings(names: Sequence[str], *taken: str) -> list[str]:
    """Columns for a value of each name, apart from columns that are taken."""
    taken = {*WRITTEN, *taken}
    return [f"{name} (value)" if name in taken else name for name in names]
