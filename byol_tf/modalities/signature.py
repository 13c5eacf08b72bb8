"""How an exported model is fed: the part of the contract that exports use."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf

OK = "ok"  # status of an input that was read
FILES = "bytes"  # name of an input of files, as one string each
DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


class Signature(NamedTuple):
    """One way to feed an exported model.

    Attributes:
        specs: of the inputs, by name; the first axis is the batch.
        read: graph function from those tensors, in their order, to the batch
            that the model takes and a string `[batch]`, `OK` or why a row
            could not be read (in a form without strings a bool, whether it
            could); None in its place where every row can. A third result, if
            any, is the `origin` that `Task.decode` takes.
        words: what each input is, by name, for descriptions.
        of_rows: from stored rows `[n, ...]` to the one input, for the
            comparison with the Keras model; None leaves that out.
        has_status: whether `read` says which rows could be read.
    """

    specs: Mapping[str, tf.TensorSpec]
    read: Callable
    words: Mapping[str, str]
    of_rows: Callable[[np.ndarray], object] | None = None
    has_status: bool = False


class Source(Protocol):
    """A model to export, such as an `Encoder` of a run folder.

    Attributes:
        model: Keras model from prepared batches to `[n, d]`.
        preprocessor: from stored rows to what `model` takes.
        classes: names of the model's outputs if they are probabilities, else
            empty.
        noun: what one row is, for texts.
    """

    model: keras.Model
    preprocessor: Callable
    classes: tuple[str, ...]
    noun: str

    def batch(self, rows) -> object:
        """Stacks stored rows to a batch as `preprocessor` takes it."""

    def inputs(self, form: str) -> Mapping[str, Signature]:
        """Signatures of an export.

        Args:
            form: "saved_model", or "graph" for formats that hold no strings,
                which have one signature.
        """

    def save(self, workdir: str, name: str) -> object:
        """Writes `name.keras` and what it takes, for `load_encoder`."""
