"""The interface of a modality for reading its rows."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_tf.data.rows import Batch, Spec


def _as_it_is(array, where):
    return array


class Columns(NamedTuple):
    """Columns of tables whose cells are rows; "": the usual names.

    Attributes:
        text: column of the rows.
        pair: column of the second text; "": none.
        between: a character that no cell has, between both cells of a row.
    """

    text: str = ""
    pair: str = ""
    between: str = ""


@dataclasses.dataclass(frozen=True)
class Decoder:
    """How to read rows of one kind from files and arrays.

    Attributes:
        spec: `{name: tf.TensorSpec}` of a decoded row. Files whose rows have a
            known shape are decoded once, into a store; others, and strings,
            when a batch needs them.
        decode: from the path or the bytes of a file to an array, or to one per
            name of the spec; raises `Unreadable`.
        extensions: extensions of its files, in lower case: ".png".
        conform: `conform(array, where)`: converts the rows of an array, or
            raises a ValueError about `where`.
        of_stored: `of_stored(name, shape, dtype)`: the decoder of a dataset
            with such rows, None for axes that differ; None: this decoder.
        of_files: `of_files(files)`: the decoder of a folder's files, from a
            look at some of them; None: this decoder.
        table: reads a folder whose rows are together in the file `table.file`:
            `table(folder, split)` returns `Examples`; None if each row is a
            file.
        cut: `cut(file)`: items of a file with several rows, for `decode`; None
            if a file is a row.
        feature: name of the class in `tfds.features` of such rows.
        columns: columns of tables whose cells may be rows; None: only files.
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
        """Name of a row, such as "image": the first name of the spec."""
        return next(iter(self.spec))

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of a row of numbers; None unless known and the only one."""
        shape, dtype = self.spec[self.name].shape, self.spec[self.name].dtype
        is_fixed = len(self.spec) == 1 and shape.is_fully_defined()
        return tuple(shape) if is_fixed and dtype != tf.string else None

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype of a row."""
        return np.dtype(self.spec[self.name].dtype.as_numpy_dtype)
