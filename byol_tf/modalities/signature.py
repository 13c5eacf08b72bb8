"""Inputs of an exported model: the part of the contract that exports use."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf

OK = "ok"  # status of an input that could be read
FILES = "bytes"  # name of an input of files, one string each
DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


class Signature(NamedTuple):
    """One way to call an exported model.

    Attributes:
        specs: specs of the inputs by name; the first axis is the batch.
        read: graph function of those tensors, in order. It returns the batch
            for the model, and a string `[batch]`: `OK`, or why a row could not
            be read (a bool in a form without strings; None if every row can be
            read). A third result, if any, is the `origin` for `Task.decode`.
        words: description of each input, by name.
        of_rows: converts stored rows `[n, ...]` to the single input, to compare
            with the Keras model; None: no comparison.
        has_status: whether `read` returns which rows could be read.
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
        preprocessor: converts stored rows to inputs of `model`.
        classes: names of the model's outputs if they are probabilities, else
            empty.
        noun: word for one row, in messages.
    """

    model: keras.Model
    preprocessor: Callable
    classes: tuple[str, ...]
    noun: str

    def batch(self, rows) -> object:
        """Stacks stored rows to a batch for `preprocessor`."""

    def inputs(self, form: str) -> Mapping[str, Signature]:
        """Returns the signatures of an export.

        Args:
            form: "saved_model", or "graph" for formats without strings, which
                have one signature.
        """

    def save(self, workdir: str, name: str) -> object:
        """Writes `name.keras` and what it needs, for `load_encoder`."""
