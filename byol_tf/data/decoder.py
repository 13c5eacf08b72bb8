"""What a modality hands in so that its rows can be read."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_tf.data.rows import Batch, Spec


def _as_it_is(array, where):
    return array


class Columns(NamedTuple):
    """Columns of tables whose cells are rows; "" for the usual names.

    Attributes:
        text: of the rows.
        pair: of what belongs to them; "" for none.
        between: the two cells in a row, a character that no cell has.
    """

    text: str = ""
    pair: str = ""
    between: str = ""


@dataclasses.dataclass(frozen=True)
class Decoder:
    """How one kind of row is read from files and arrays.

    Attributes:
        spec: `{name: tf.TensorSpec}` of a decoded row. Files whose rows have
            a known shape are decoded once, into a store; others, and strings,
            when a batch needs them.
        decode: from the path or the bytes of a file to an array, or to one
            for each name of the spec; raises `Unreadable`.
        extensions: of the files in a folder, in lower case: ".png".
        conform: `conform(array, where)`: the rows of one array as they are
            wanted, or a ValueError about `where`.
        of_stored: `of_stored(name, shape, dtype)`: the decoder of a set with
            such rows, None for axes that differ; None for this decoder.
        of_files: `of_files(files)`: the decoder of a folder's files, from a
            look at some of them; None for this decoder.
        table: reads a folder whose rows lie together in its file
            `table.file`: `table(folder, split)` gives `Examples`; None where
            each row is a file.
        cut: `cut(file)`: items in place of a file of which only parts are
            rows, which `decode` takes; None where a file is a row.
        feature: name of the class in `tfds.features` of such rows.
        columns: of tables whose cells may be rows; None for files alone.
        key: what the rows depend on besides their spec.
    """

    spec: Spec
    decode: Callable[[object], Batch]
    extensions: tuple[str, ...] = ()
    conform: Callable[[np.ndarray, str], np.ndarray] = _as_it_is
    of_stored: Callable[[str, tuple, np.dtype], "Decoder"] | None = None
    of_files: Callable[[Sequence], "Decoder"] | None = None
    table: Callable | None = None
    cut: Callable[[object], Sequence] | None = None
    feature: str = ""
    columns: Columns | None = None
    key: object = None

    @property
    def name(self) -> str:
        """Of a row, such as "image": the first name of the spec."""
        return next(iter(self.spec))

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of a row; None unless it is known and the only one, of numbers."""
        shape, dtype = self.spec[self.name].shape, self.spec[self.name].dtype
        known = len(self.spec) == 1 and shape.is_fully_defined()
        return tuple(shape) if known and dtype != tf.string else None

    @property
    def dtype(self) -> np.dtype:
        """NumPy's, of a row."""
        return np.dtype(self.spec[self.name].dtype.as_numpy_dtype)
