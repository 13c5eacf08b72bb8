"""What the engine knows of a kind of input, and all that it knows.

A modality is a folder beside this file: images, and whatever comes next. It
says what a stored row is, how a file becomes one, which views are drawn of it,
which encoder takes them, and how a row is shown to a person. Training,
evaluation, export, serving and search see only what is named here.

May be imported by everything above `data`; imports no member.
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

Sizes = Mapping[str, Any]  # numbers that decoding and preparation follow from


class Raw(NamedTuple):
    """Inputs as they are, as vectors: the baseline that learned nothing.

    Attributes:
        name: of its row in tables, such as "raw pixels".
        model: from prepared batches to vectors.
        prepare: from batches of rows to what `model` takes.
    """

    name: str
    model: keras.Model
    prepare: Callable


class Card(NamedTuple):
    """What the card of an exported model says of its inputs, in Markdown.

    Attributes:
        noun: what one row is.
        example: how the model is called.
        limits: what it cannot do, as a list.
    """

    noun: str
    example: str
    limits: str


@runtime_checkable
class Views(Protocol):
    """The augmentation.

    Rows of one shape in memory are augmented wholly in the training step.
    Encoded rows are cut first, one by one, in the input pipeline: `cut` cuts
    each view out of the decoded original, and the step does the rest. Views
    with a method `least_side(numbers, height, width)` let a decoder with
    `to_be_cut` give an original that is smaller, and with `cut_array` cut a
    row of uint8 without TensorFlow, see `image.views`.
    """

    def numbers(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Draws all random numbers of a part of a batch.

        Args:
            seed: int32 `[2]`, see `seeds.step_seed`.
            count: rows of the part.

        Returns:
            float32 `[count, k]` in [0, 1).
        """

    def cut(self, row, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Cuts each view out of one row, in a graph of `tf.data`.

        Args:
            row: decoded, a tensor, or a dict of tensors by name of the spec.
            numbers: float32 `[k]`, its row of `numbers`.

        Returns:
            A tensor a view, or one that both are made of, of the same shapes
            for all rows.
        """

    def __call__(self, batch, seed: tf.Tensor):
        """Makes the views of a batch, in the training step.

        Args:
            batch: rows `[batch, ...]`, or a tuple of what `cut` gave.
            seed: int32 `[2]`; the same seed gives the same views.

        Returns:
            `(view1, view2)`, float32 `[batch, ...]`.
        """


class Augment(Protocol):
    """Augmentation of training with labels.

    Attributes:
        name: of what changes a view alone; "none" for nothing.
        mixes: whether a view becomes the mixture of two.
        changes: whether it does anything at all.
    """

    name: str
    mixes: bool
    changes: bool

    def start(self, seed: int) -> Callable:
        """Returns the augmentation from its first batch on.

        It is a function of views `[batch, ...]` and targets `[batch, n]`, to
        the same of both.
        """


@runtime_checkable
class Modality(Protocol):
    """A kind of input; `section` is a configuration of a run throughout.

    Where tasks ask for places, such as those of objects in an image, it has
    `whole(preprocessor, side)` as well, which makes a preprocessor of `side`
    that cuts nothing off, `as_wanted(rows, sizes)`, which makes such rows of
    others, and `decoder` takes `whole=True` for them.

    Where tasks say something of each step of a row, it has
    `sequence(preprocessor)`, which makes a preprocessor that cuts nothing off:
    it gives a dict of the batch and of `length`, int32 `[batch]`, and its
    `steps(lengths)` says how many steps rows of some lengths become. Its
    `decoder` takes `whole=True` for rows that are not cut. A long row is
    predicted in `parts(row, sizes)`: pairs of what is said of a part, such as
    its `start` and `end`, and the part. `cut(sizes)` says how a file
    becomes several rows, as `Decoder.cut`, or None. Rows that go on have
    `stream(source, rate, sizes)`, the blocks of a binary file. Those that can
    be played have `player(row, preprocessor)`, a WAV file for reports.

    One with rows that stay encoded may have `codec(store, examples, views,
    side)`, the form that they are kept in by `data.store`: a `data.pack.Codec`.

    Attributes:
        name: "image"; also of a row in texts.
        extensions: of the files of one, in lower case: ".png".
        milder: views that change less, with the fields to set, as advice.
    """

    name: str
    extensions: tuple[str, ...]
    milder: str

    # ---- rows ---------------------------------------------------------

    def decoder(self, section) -> Decoder:
        """Returns how files and arrays become rows, as configured."""

    def sizes(
        self,
        shape: Sequence[int | None],
        section=None,
        preprocessor: keras.layers.Layer | None = None,
    ) -> dict:
        """Returns what later jobs need to know of rows, as JSON.

        Args:
            shape: of a row.
            section: None if the shape alone is known.
            preprocessor: see `fit`; None if the shape alone is known.
        """

    def plan(
        self, section, examples: Examples, accelerator: bool
    ) -> tuple[dict, list[str]]:
        """Decides what a configuration leaves open, before a run begins.

        Args:
            section: of the run.
            examples: of training.
            accelerator: whether there is a GPU or TPU.

        Returns:
            Values by field, such as "augment.size", and a line for each
            decision that says why.
        """

    def decode_row(self, data, sizes: Sizes) -> np.ndarray:
        """Decodes the path or the bytes of a file to a row.

        Raises:
            Unreadable: it cannot be decoded.
        """

    def origin(self, data) -> dict:
        """Returns what results are turned back by, such as sizes, by name."""

    # ---- models -------------------------------------------------------

    def fit(self, examples: Examples, section) -> keras.layers.Layer:
        """Makes the preprocessor, with what is learned before step 0.

        Returns:
            A serialisable layer without draws, from a batch of rows to what
            the encoder takes.
        """

    def views(self, section, preprocessor: keras.layers.Layer) -> Views:
        """Makes the augmentation of pretraining."""

    def crops(self, section) -> dict:
        """Returns the options of `train_view` as configured, as JSON."""

    def train_view(
        self, preprocessor: keras.layers.Layer, crops: Mapping
    ) -> Callable | None:
        """Makes the mild augmentation of training with labels.

        Returns:
            `view(rows, seed)`, from a batch of rows to what the encoder
            takes, and where it lies in each row: of an image `box`, `flip`
            and more, by which tasks move their targets. With an attribute
            `compiles` of False, XLA is not asked to compile it. None for none.
        """

    def supervised_augment(self, options: Mapping) -> Augment | None:
        """Makes what changes views along with their targets; None for nothing.

        Args:
            options: the section `augment` of `configs/finetune.py`.

        Raises:
            ValueError: an option is wrong, or not for this kind of input.
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
    ) -> keras.Model:
        """Makes an encoder with published weights: `encoder.weights=imagenet`.

        It is a functional model.

        Raises:
            ValueError: there are none for `section.encoder.name`, or they are
                not at hand.
        """

    def levels(self, model: keras.Model) -> dict[str, tuple[str, int]]:
        """Finds intermediate outputs: by name the layer and its stride."""

    def raw(self, preprocessor: keras.layers.Layer, sizes: Sizes) -> Raw:
        """Makes the baseline of inputs as they are."""

    # ---- exports and pictures -----------------------------------------

    def inputs(
        self, preprocessor: keras.layers.Layer, sizes: Sizes, form: str
    ) -> Mapping[str, Signature]:
        """Returns the signatures of an export by name; see `Source.inputs`."""

    def card(self, about: Mapping) -> Card:
        """Returns the words on an export.

        Args:
            about: what `export.json` holds: `format` ("saved_model", "onnx"
                or "litert"), `sizes`, and `signatures` with their `inputs` and
                `outputs`.
        """

    def preview(self, row) -> np.ndarray:
        """Draws a decoded row, as uint8 `[height, width, 3]`."""

    def thumbnail(self, data, side: int) -> np.ndarray | None:
        """Draws the path or the bytes of a file, for sheets and maps.

        Returns:
            uint8 `[height, width, 3]`, of at most `side` pixels each way;
            None if it cannot be read.
        """

    def draw_views(
        self, rows: Sequence, pair: Sequence, path: pathlib.Path
    ) -> None:
        """Draws decoded rows above their two views into a PNG file."""


def refuse_augment(options: Mapping, nouns: str) -> None:
    """What `supervised_augment` does where only views are augmented.

    Args:
        options: of `supervised_augment`.
        nouns: what the rows are, such as "sounds".

    Raises:
        ValueError: an augmentation of images is asked for.
    """
    if options["name"] != "none" or options["mixup"] or options["cutmix"]:
        raise ValueError(
            "augment.name, mixup and cutmix are of images; leave them as "
            f"they are for {nouns}. Received: {dict(options)}"
        )
