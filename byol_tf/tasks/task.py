"""The contract of a task: head, loss, metrics and labels."""

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

# Columns of every prediction, besides `Task.rows`.
BASE_COLUMNS = ("path", "status")
TIMES = ("start", "end")  # columns of parts of sounds
VECTOR = "vector"  # name of the representation in an encoder's outputs

# One array, or arrays by name; the first axis counts examples.
Arrays = np.ndarray | Mapping[str, np.ndarray]
Tensors = tf.Tensor | Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Examples with their labels.

    Attributes:
        examples: the examples; `labels` holds their classes, if there are any.
        table: a row of named values per image, in the same order; None if no
            file of labels was given.
        boxes: objects in the images, in the same order; None if no file has
            them.
    """

    examples: Examples
    table: LabelTable | None = None
    boxes: Boxes | None = None

    def __post_init__(self):
        count = self.examples.num_examples
        if self.table is not None and len(self.table) != count:
            raise ValueError(
                "`table` must have a row for each example, see "
                f"`LabelTable.aligned`. Received: {len(self.table)} rows for "
                f"{count} examples"
            )


class Accumulator(Protocol):
    """Computes metrics of predictions that come batch by batch."""

    def update(self, targets: Arrays, decoded: Mapping[str, np.ndarray]):
        """Adds a batch: its targets, and the output of `Task.decode` for it."""

    def result(self) -> dict[str, float]:
        """Returns the metrics of all batches, `Task.metric` among them.

        Raises:
            ValueError: if no target is known.
        """


class Task(abc.ABC):
    """Defines what fine-tuning predicts for an example.

    A new task is a subclass in its own file. If it predicts numbers from the
    vector, subclass `VectorTask`, which does most of the work.

    Targets are an array `[n, ...]`, or a dict of padded arrays by name. Outputs
    are tensors by name, as the head returns them. If an axis of the features is
    padded, the outputs include its `length`, int32 `[batch]`.

    Attributes:
        name: name of the task, as in `--task=`.
        metric: the accumulator's metric that settings are chosen by; more is
            better.
        percent: whether `metric` is a share, which tables show in percent.
        columns: names of the targets, for instance of the classes.
        whole_images: whether examples are whole, letterboxed images, since
            targets may lie anywhere. Targets are then in fractions of the
            squares, see `points.into_whole`. Otherwise images are
            centre-cropped.
        side: side of whole images in pixels; 0: that of the encoder.
        of_objects: whether an example is one object. In images of a COCO file
            each object is then cut out by its box, and `decode` takes, beside
            the `size` of the crop, its `place` (left and top, in pixels) and
            the size of the `whole` image.
        view: default options of random views, for `Modality.train_view`.
        clip_norm: largest norm of gradients; larger ones are scaled down. 0:
            off.
        signature: name of the prediction signature of an export.
        each: word for what a metric with a slash in its name is about.
        moves_with_image: whether targets change when the image is cropped or
            flipped, see `move`.
        shown_whole: whether training uses whole images, without random crops
            and flips.
        sequences: whether it predicts each step of a whole row, such as a
            sound, see `Encoder.sequence`.
        shown: further metrics that tables show in percent.
        mixable: whether targets can be averaged, as MixUp and CutMix do.
    """

    name: str
    metric: str
    percent: bool = False
    whole_images: bool = False
    side: int = 0
    of_objects: bool = False
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
        """Makes the task from the labels of the training images.

        Args:
            labelled: training images with their labels.
            **options: options of the task.

        Raises:
            ValueError: if the labels do not suit the task.
        """

    @abc.abstractmethod
    def targets(self, labelled: Labelled) -> Arrays:
        """Returns the targets of all examples, see the class.

        Raises:
            ValueError: if the task does not know a label.
        """

    def known(self, targets: Arrays) -> np.ndarray:
        """Returns whether any target of an example is not NaN, bool `[n]`.

        Override it if an example without any object is known too.
        """
        arrays = [np.asarray(array) for array in tf.nest.flatten(targets)]
        floats = [array for array in arrays if array.dtype.kind == "f"]
        is_known = np.full(len(arrays[0]), not floats)
        for array in floats:
            is_known |= ~np.isnan(array.reshape(len(array), -1)).all(axis=1)
        return is_known

    def fits(self, targets: Arrays, lengths: np.ndarray) -> np.ndarray:
        """Returns whether rows have enough steps for their targets, bool `[n]`.

        Args:
            targets: targets of all examples.
            lengths: int `[n]`, steps of the first level that `consumes` names.
        """
        return np.ones(len(lengths), bool)

    def strata(self, targets: Arrays) -> np.ndarray:
        """Returns groups to sample evenly from, int `[n]`, counted from 0.

        Here all 0. Classification returns the class, -1 for none, and detection
        the rarest class in the image.
        """
        return np.zeros(len(tf.nest.flatten(targets)[0]), np.int64)

    def consumes(self, levels: Mapping[str, int]) -> tuple[str, ...]:
        """Names the features that the head takes: "vector", or levels.

        Args:
            levels: strides of the encoder's levels by name, such as `{"P2": 4,
                "P3": 8}`. Choose by stride, since names differ between
                encoders.
        """
        return (VECTOR,)

    @abc.abstractmethod
    def head(self, specs: Mapping[str, tf.TensorSpec]) -> keras.Model:
        """Makes the head: a model from features to float32 outputs, by name.

        It must save and load in Keras' safe mode.

        Args:
            specs: specs of the features that `consumes` names, `[None, ...]`.
        """

    @abc.abstractmethod
    def loss(self, targets: Tensors, outputs: Mapping) -> tf.Tensor:
        """Computes the loss of each example, float32 `[batch]`."""

    def move(self, targets: Tensors, where: Mapping) -> Tensors:
        """Maps targets of whole images to random views of them.

        Args:
            targets: targets of a batch.
            where: place of each view, see `View.draw_with_where`.
        """
        return targets

    @abc.abstractmethod
    def decode(
        self, outputs: Mapping, origin: Mapping | None = None
    ) -> dict[str, tf.Tensor]:
        """Turns outputs into predictions by name, with TensorFlow ops.

        Exports contain it as well.

        Args:
            outputs: outputs of a batch.
            origin: properties of the original rows; for images `size`, int
                `[batch, 2]`, width and height of the whole image. None: predict
                relative to the input, as targets are.
        """

    def words(self, decoded: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns strings by name for a `decode`, for formats with text."""
        return {}

    def as_decoded(
        self, targets: Mapping[str, np.ndarray] | np.ndarray
    ) -> Mapping[str, np.ndarray] | None:
        """Returns targets in the form of `decode` to draw; None: no places."""
        return None

    def in_squares(
        self, decoded: Mapping[str, np.ndarray], side: int
    ) -> Mapping[str, np.ndarray]:
        """Returns what `decode` would give without the origin of square images.

        Args:
            decoded: predictions for images of `side` by `side` pixels, made
                with their origin.
            side: side in pixels.
        """
        return decoded

    def joined(
        self, decoded: Mapping[str, np.ndarray], places: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """Merges the predictions of an image and its parts into one.

        Args:
            decoded: predictions, made with the origin of each part.
            places: places of the parts in the image, see `tiled.tile_places`.

        Raises:
            ValueError: if the task cannot merge predictions.
        """
        raise ValueError(
            f"{self.name} cannot merge predictions of tiles; leave out --tiles"
        )

    @abc.abstractmethod
    def rows(self, decoded: Mapping[str, np.ndarray]) -> list:
        """Returns a dict by CSV column for each example.

        Or a list of such dicts, if an example may have several predictions or
        none.
        """

    def results(self, decoded: Mapping[str, np.ndarray]) -> list[list[dict]]:
        """Returns the predictions of each example as entries of COCO results.

        Raises:
            ValueError: if the task has no such form.
        """
        raise ValueError(
            f"predictions of {self.name} are written as CSV; name a file "
            "--out=predictions.csv"
        )

    def marks(
        self, rows: Sequence[Mapping], width: int, height: int
    ) -> list[Mark]:
        """Returns what to draw for an image's `rows`, in pixels.

        Args:
            rows: rows of one image, see `rows`.
            width: width of the whole image in pixels.
            height: height of the whole image in pixels.

        Raises:
            ValueError: if predictions have no place in the image.
        """
        raise ValueError(
            f"predictions of {self.name} have no place to draw; name a file "
            "--out=predictions.csv"
        )

    @abc.abstractmethod
    def accumulator(self) -> Accumulator:
        """Makes an accumulator, which counts non-finite predictions wrong."""

    def constant(self, targets: Arrays) -> dict[str, np.ndarray] | None:
        """Returns the best constant prediction, as `decode` of one example.

        Arrays have no batch axis. It is the baseline that a task must beat;
        None if the metric includes it.

        Args:
            targets: targets of the training images.
        """
        return None

    def guesses(self) -> list[str]:
        """Returns a line for each choice that the user did not make."""
        return []

    def options(self) -> dict[str, object]:
        """Returns arguments besides `columns` for an equal task, as JSON."""
        return {}


class VectorTask(Task):
    """Predicts numbers `[n, columns]` from the vector; a base class.

    A subclass defines `prediction`, `metrics`, `of`, `targets`, `head` and
    `loss`.

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
        """Computes metrics of all predictions; see `Accumulator.result`."""

    def rows(self, decoded: Mapping[str, np.ndarray]) -> list[dict]:
        """Returns the number of every column."""
        columns = headings(self.columns)
        return [
            dict(zip(columns, map(float, row), strict=True))
            for row in decoded[self.prediction]
        ]

    def accumulator(self) -> Accumulator:
        return PredictionAccumulator(self.metrics, self.prediction)


class PredictionAccumulator:
    """Keeps a few numbers per example, for metrics that need all at once."""

    def __init__(self, metrics: Callable, prediction: str):
        self._metrics, self._prediction = metrics, prediction
        self._targets, self._predictions = [], []

    def update(self, targets, decoded):
        self._targets.append(targets)
        self._predictions.append(decoded[self._prediction])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all targets and predictions so far."""
        return np.concatenate(self._targets), np.concatenate(self._predictions)

    def result(self):
        return dict(self._metrics(*self.arrays()))


def take(arrays: Arrays, index) -> Arrays:
    """Selects examples by index or slice, from one array or each by name."""
    return tf.nest.map_structure(lambda array: array[index], arrays)


def vector_head(
    specs: Mapping[str, tf.TensorSpec],
    layer: keras.layers.Layer,
    activations: Mapping[str, str],
) -> keras.Model:
    """Makes a head from the vector: a layer, and its outputs by name.

    Args:
        specs: see `Task.head`.
        layer: from vectors to numbers.
        activations: Keras activation of each output; "linear" for none.
    """
    inputs = head_inputs(specs)
    values = layer(inputs[VECTOR])
    outputs = {
        name: keras.layers.Activation(activation, dtype="float32", name=name)(
            values
        )
        for name, activation in activations.items()
    }
    return keras.Model(inputs, outputs, name="head")


def head_inputs(specs: Mapping[str, tf.TensorSpec]) -> dict:
    """Makes the Keras inputs of a head by name, float32."""
    return {
        name: keras.Input(spec.shape[1:], dtype="float32", name=name)
        for name, spec in specs.items()
    }


def headings(names: Sequence[str], *reserved: str) -> list[str]:
    """Returns a column name for each value, distinct from columns in use."""
    reserved = {*BASE_COLUMNS, *TIMES, *reserved}
    return [f"{name} (value)" if name in reserved else name for name in names]
