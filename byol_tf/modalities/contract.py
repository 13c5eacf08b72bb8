"""The contract of a modality: all that the package knows of a kind of input.

A modality is a folder beside this file, such as `image`. It defines what a
stored row is, how a file becomes one, which views are drawn, which encoder
takes them, and how a row is shown to a person. Training, evaluation, export,
serving and search use only what is named here.

Everything above `data` may import this module; it imports no modality.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples
from byol_tf.modalities.signature import Signature

Sizes = Mapping[str, Any]  # parameters of decoding and preparation


class Raw(NamedTuple):
    """The inputs themselves as vectors: a baseline without learning.

    Attributes:
        name: name of its row in tables, such as "raw pixels".
        model: from prepared batches to vectors.
        prepare: from batches of rows to inputs of `model`.
    """

    name: str
    model: keras.Model
    prepare: Callable


class Card(NamedTuple):
    """Text about the inputs for the card of an exported model, in Markdown.

    Attributes:
        noun: word for one row.
        example: how to call the model.
        limits: what it cannot do, as a list.
    """

    noun: str
    example: str
    limits: str


@runtime_checkable
class Views(Protocol):
    """The augmentation of pretraining.

    Rows of one shape in memory are augmented entirely in the training step.
    Encoded rows are first cut one by one in the input pipeline: `cut` cuts each
    view out of the decoded original, and the step does the rest. Three methods
    are optional: with `least_side(numbers, height, width)`, a decoder with
    `to_be_cut` may return a smaller original; `cut_array` cuts a uint8 row
    without TensorFlow (see `image.views`); `draw_with_where(batch, seed)`
    returns each view with its place in the row, for `dense_byol` (see
    `losses.positions`).
    """

    def numbers(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Draws all random numbers for a part of a batch.

        Args:
            seed: int32 `[2]`, see `seeds.step_seed`.
            count: rows of the part.

        Returns:
            float32 `[count, k]` in [0, 1).
        """

    def cut(self, row, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Cuts each view out of one row, in a graph of `tf.data`.

        Args:
            row: decoded row, a tensor, or a dict of tensors by name of the
                spec.
            numbers: float32 `[k]`, the row's part of `numbers`.

        Returns:
            One tensor per view, or one for both; with the same shapes for all
            rows.
        """

    def __call__(self, batch, seed: tf.Tensor):
        """Makes the views of a batch, in the training step.

        Args:
            batch: rows `[batch, ...]`, or the tuple that `cut` returned,
                batched.
            seed: int32 `[2]`; the same seed gives the same views.

        Returns:
            `(view1, view2)`, float32 `[batch, ...]`.
        """


class Augment(Protocol):
    """Augmentation for training with labels.

    Attributes:
        name: name of the augmentation of single views; "none" if there is none.
        mixes: whether two examples are mixed.
        changes: whether it has any effect.
    """

    name: str
    mixes: bool
    changes: bool

    def start(self, seed: int) -> Callable:
        """Returns the augmentation, beginning at its first batch.

        It is a function of views `[batch, ...]` and targets `[batch, n]` that
        returns both, changed.
        """


@runtime_checkable
class Modality(Protocol):
    """A kind of input. `section` always means a configuration of a run.

    Some tasks need further methods. For tasks with places, such as detection:
    `whole(preprocessor, side)` makes a preprocessor of `side` pixels that cuts
    nothing off, `as_wanted(rows, sizes)` converts rows to match it, and
    `decoder` takes `whole=True`.

    For tasks with an output per step, such as transcription:
    `sequence(preprocessor)` makes a preprocessor that cuts nothing off. It
    returns a dict of the batch and of `length`, int32 `[batch]`, and its
    `steps(lengths)` gives the number of steps for rows of these lengths.
    `decoder` takes `whole=True` for uncut rows. `parts(row, sizes)` splits a
    long row for prediction, into pairs of facts about a part, such as its
    `start` and `end`, and the part. `cut(sizes)` returns how a file becomes
    several rows, as `Decoder.cut`, or None. `stream(source, rate, sizes)`
    yields blocks of a binary file without end. `player(row, preprocessor)`
    makes a WAV file for reports.

    If rows stay encoded, `codec(store, examples, views, side)` may return how
    they are kept under `data.store`: a `data.pack.Codec`. The attribute
    `linear` may name the linear classifier of evaluations, a key of
    `evaluation.summary.CLASSIFIERS`; without it: "ridge".

    Attributes:
        name: such as "image"; also the word for one row.
        extensions: extensions of its files, in lower case: ".png".
        strength: field of the strength of its views with a range to search, as
            an entry of `space` in `configs/tune.py`.
    """

    name: str
    extensions: tuple[str, ...]
    strength: tuple

    # ---- rows ---------------------------------------------------------

    def decoder(self, section) -> Decoder:
        """Returns the decoder of files and arrays to rows, as configured."""

    def sizes(
        self,
        shape: Sequence[int | None],
        section=None,
        preprocessor: keras.layers.Layer | None = None,
    ) -> dict:
        """Returns what later jobs must know about rows, as JSON.

        Args:
            shape: shape of a row.
            section: None if only the shape is known.
            preprocessor: see `fit`; None if only the shape is known.
        """

    def plan(
        self, section, examples: Examples, accelerator: bool
    ) -> tuple[dict, list[str]]:
        """Computes the settings that a configuration leaves open.

        Args:
            section: the configuration.
            examples: the training examples.
            accelerator: whether there is a GPU or TPU.

        Returns:
            Values by field, such as "augment.size", and a line per value that
            gives the reason.
        """

    def decode_row(self, data, sizes: Sizes) -> np.ndarray:
        """Decodes the path or the bytes of a file to a row.

        Raises:
            Unreadable: if it cannot be decoded.
        """

    def origin(self, data) -> dict:
        """Returns facts about a file, such as its size, to map results back."""

    # ---- models -------------------------------------------------------

    def fit(self, examples: Examples, section) -> keras.layers.Layer:
        """Makes the preprocessor, and fits it to the training examples.

        Returns:
            A serialisable, deterministic layer from a batch of rows to inputs
            of the encoder.
        """

    def views(self, section, preprocessor: keras.layers.Layer) -> Views:
        """Makes the augmentation of pretraining."""

    def milder(
        self, section, row_shape: Sequence[int | None]
    ) -> Sequence[tuple]:
        """Returns settings of milder views, of what such views change.

        Returns:
            Of each setting its field, such as "augment.hue", a mild value, and
            the value at which it changes nothing.
        """

    def crops(self, section) -> dict:
        """Returns the options of `train_view` as configured, as JSON."""

    def train_view(
        self, preprocessor: keras.layers.Layer, crops: Mapping
    ) -> Callable | None:
        """Makes the mild augmentation for training with labels.

        Returns:
            `view(rows, seed)`, from a batch of rows to inputs of the encoder
            and their place in each row, for example `box` and `flip` of an
            image, by which tasks move their targets. If its attribute
            `compiles` is False, XLA is not used. If it has
            `reduce(decode, item)`, encoded rows are decoded by that, no larger
            than its views need. None for no augmentation.
        """

    def supervised_augment(self, options: Mapping) -> Augment | None:
        """Makes an augmentation of views with their targets; None for none.

        Args:
            options: section `augment` of `configs/finetune.py`.

        Raises:
            ValueError: if an option is wrong, or not for this kind of input.
        """

    def encoder(
        self,
        section,
        preprocessor: keras.layers.Layer,
        row_shape: Sequence[int | None],
    ) -> keras.Model:
        """Makes an encoder with random weights, `[batch, ...]` to vectors."""

    def pretrained(
        self,
        section,
        preprocessor: keras.layers.Layer,
        row_shape: Sequence[int | None],
        examples: Examples | None = None,
    ) -> keras.Model:
        """Makes an encoder with weights that are known by a name.

        Those are published ones, `encoder.weights=imagenet`, or ones that
        follow from the training examples without any training, `lsa`. It is a
        functional model.

        Args:
            section: of the run.
            preprocessor: see `fit`.
            row_shape: of a row.
            examples: of training, for weights that follow from them.

        Raises:
            ValueError: if `section.encoder.name` has no such weights, or they
                are not installed.
        """

    def levels(self, model: keras.Model) -> dict[str, tuple[str, int]]:
        """Finds intermediate outputs: layer and stride by name."""

    def raw(self, preprocessor: keras.layers.Layer, sizes: Sizes) -> Raw:
        """Makes the baseline without learning."""

    # ---- exports and pictures -----------------------------------------

    def inputs(
        self, preprocessor: keras.layers.Layer, sizes: Sizes, form: str
    ) -> Mapping[str, Signature]:
        """Returns the signatures of an export by name, see `Signature`."""

    def card(self, about: Mapping) -> Card:
        """Returns the text about an export's inputs.

        Args:
            about: contents of `export.json`: `format` ("saved_model", "onnx" or
                "litert"), `sizes`, and `signatures` with their `inputs` and
                `outputs`.
        """

    def preview(self, row) -> np.ndarray:
        """Draws a decoded row, as uint8 `[height, width, 3]`."""

    def thumbnail(self, data, side: int) -> np.ndarray | None:
        """Draws the path or the bytes of a file, for sheets and maps.

        Returns:
            uint8 `[height, width, 3]`, at most `side` pixels high and wide;
            None if it cannot be read.
        """

    def draw_views(
        self, rows: Sequence, pair: Sequence, path: pathlib.Path
    ) -> None:
        """Draws decoded rows above their two views, into a PNG file."""


def refuse_augment(options: Mapping, nouns: str) -> None:
    """Refuses `supervised_augment` for modalities that have none.

    Args:
        options: as for `supervised_augment`.
        nouns: word for the rows, such as "sounds".

    Raises:
        ValueError: if an augmentation of images is set.
    """
    if options["name"] != "none" or options["mixup"] or options["cutmix"]:
        raise ValueError(
            "augment.name, mixup and cutmix are only for images; leave them "
            f"as they are for {nouns}. Received: {dict(options)}"
        )
