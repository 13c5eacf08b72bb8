"""Rows that are not one array in memory: subsets, ragged, or encoded."""

import functools
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.lines import printable, some

MOST_LENGTHS = 8  # number of lengths that ragged batches are padded to
LENGTH = "length"  # key of the lengths in a padded batch
Spec = Mapping[str, tf.TensorSpec]
Batch = np.ndarray | dict[str, np.ndarray]


class Unreadable(ValueError):
    """Raised for a row that cannot be used; the message is the reason."""


class Rows:
    """Some rows of an array that is too large to copy, read when indexed.

    Args:
        array: `[N, ...]`, usually memory-mapped.
        index: int `[M]`, the rows.
    """

    def __init__(self, array: np.ndarray, index: np.ndarray):
        self.array = array
        self.index = index
        self.shape = (len(index), *array.shape[1:])
        self.dtype = array.dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key) -> np.ndarray:
        return np.asarray(self.array[self.index[key]])

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def subset(self, index: np.ndarray) -> "Rows":
        return Rows(self.array, self.index[index])


class _SingleRows:
    """Rows that are read singly, or as a list by an index."""

    index: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key):
        rows = self.index[key]
        return list(map(self._row, rows)) if np.ndim(rows) else self._row(rows)


class Ragged(_SingleRows):
    """Rows of varying length, concatenated in one array.

    Args:
        values: `[total, ...]`, an array or a memory map.
        offsets: int `[N + 1]`; row `i` is `values[offsets[i]:offsets[i + 1]]`.
        index: int `[M]`, the selected rows; None: all.

    Raises:
        ValueError: if the offsets are invalid.
    """

    def __init__(
        self,
        values: np.ndarray,
        offsets: np.ndarray,
        index: np.ndarray | None = None,
    ):
        self.values = values
        self.offsets = np.asarray(offsets, np.int64)
        cuts = np.concatenate([[0], self.offsets, [len(values)]])
        if not len(self.offsets) or (np.diff(cuts) < 0).any():
            raise ValueError(
                "`offsets` must ascend from 0 to the number of values, "
                f"{len(values)}. Received: {some(self.offsets.tolist())}"
            )
        count = len(self.offsets) - 1
        self.index = np.arange(count) if index is None else index
        self.shape = (len(self.index), None, *values.shape[1:])
        self.dtype = values.dtype

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> "Ragged":
        """Copies arrays `[length, ...]` that differ only in length."""
        offsets = np.cumsum([0, *map(len, rows)])
        return cls(np.concatenate(rows), offsets)

    def _row(self, row):
        start, stop = self.offsets[row : row + 2]
        return np.asarray(self.values[start:stop])

    def subset(self, index: np.ndarray) -> "Ragged":
        return Ragged(self.values, self.offsets, self.index[index])

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Length of each row, int64 `[M]`."""
        return np.diff(self.offsets)[self.index]

    @functools.cached_property
    def padded_lengths(self) -> np.ndarray:
        """Returns the lengths that batches are padded to: 8 quantiles."""
        shares = np.arange(1, MOST_LENGTHS + 1) / MOST_LENGTHS
        return np.unique(np.quantile(self.lengths, shares, method="higher"))

    def padded(self, length: int) -> int:
        """Returns the padded length for rows up to this length."""
        lengths = self.padded_lengths
        return int(lengths[np.searchsorted(lengths, length)])


GONE = (-1, -1)  # in place of size and time


def size_and_time(path) -> tuple:
    """Returns bytes and time of change in ns of a file, or `GONE`.

    Args:
        path: path of a file, or a `RemotePath`.
    """
    if hasattr(path, "size_and_time"):
        return path.size_and_time()
    try:
        stat = os.stat(path)
    except OSError:  # a dead link; decoding reports it
        return GONE
    return stat.st_size, stat.st_mtime_ns


class Files(Sequence):
    """Files below a folder; joins paths only when needed, to save memory.

    Args:
        root: a `pathlib.Path`, or a `RemotePath`.
        paths: relative to it.
    """

    def __init__(self, root, paths: Sequence[str]):
        self.root, self.paths = root, paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number) -> pathlib.Path | bytes:
        """Returns the path of a file; for a remote one its bytes."""
        path = self.root / self.paths[number]
        return path if isinstance(path, pathlib.Path) else path.read()

    def name_of(self, number: int) -> str:
        """Returns the path of a file, or its URL, as text."""
        return str(self.root / self.paths[number])

    def identity(self) -> Iterator[tuple]:
        """Yields path, size and time of change of each file."""
        for path in self.paths:
            yield path, *size_and_time(self.root / path)


class Parts(Files):
    """Parts of files; several may have the path of one file.

    Args:
        root: see `Files`.
        paths: path of the file of each part.
        items: what a part is decoded from.
    """

    def __init__(self, root, paths: Sequence[str], items: Sequence):
        super().__init__(root, paths)
        self._items = items

    def __getitem__(self, number):
        return self._items[number]

    def identity(self) -> Iterator[tuple]:
        for item, stamp in zip(self._items, super().identity(), strict=True):
            yield (*stamp, repr(item))


class Encoded(_SingleRows):
    """Rows as stored, decoded when a batch needs them.

    Args:
        items: one per row: `pathlib.Path` of a file, bytes, or a text; `Files`.
        index: int `[M]`, the selected rows; None: all.

    Attributes:
        unreadable: reasons by position in `items`, shared with all subsets.
        listen: called once with item and reason of each unreadable row; if it
            raises a ValueError, reading stops.
        kept: the same rows in a form that is faster to read, bytes by position
            in `items`, see `pack.PackedRows`; None: none.
        failure: the ValueError that stopped reading in a pipeline, which can
            only raise TensorFlow's errors; else None.
    """

    dtype = np.dtype(object)

    def __init__(
        self,
        items: Sequence,
        index: np.ndarray | None = None,
        listen: Callable[[object, str], object] = lambda item, reason: None,
    ):
        self.items = items
        self.index = np.arange(len(items)) if index is None else index
        self.shape = (len(self.index),)
        self.unreadable: dict[int, str] = {}
        self.listen = listen
        self.kept = None
        self.failure: ValueError | None = None
        self._lock = threading.Lock()

    def _row(self, row):
        return self.items[row]

    def subset(self, index: np.ndarray) -> "Encoded":
        part = Encoded(self.items, self.index[index], self.listen)
        part.unreadable, part._lock = self.unreadable, self._lock
        part.kept = self.kept
        return part

    def reason(self, row: int) -> str | None:
        """Returns why a row was unreadable; None if it was not."""
        return self.unreadable.get(int(self.index[row]))

    def list_unreadable(self, row: int, reason: str) -> None:
        """Remembers and reports an unreadable row, the first time."""
        number = int(self.index[row])
        with self._lock:
            if number in self.unreadable:
                return
            self.unreadable[number] = reason
            item = self._item_name(number)
            logging.warning("Skipped %s: %s.", *map(printable, (item, reason)))
            try:
                self.listen(item, reason)
            except ValueError as error:
                self.fail(error)

    def _item_name(self, number):
        if isinstance(self.items, Files):
            return self.items.name_of(number)
        item = self.items[number]
        return f"row {number}" if isinstance(item, bytes) else item

    def part(self, row: int) -> tuple[str, int] | None:
        """Returns path and position of a part of a file; None for others."""
        if not isinstance(self.items, Parts):
            return None
        number = int(self.index[row])
        return self.items.paths[number], number

    def fail(self, error: ValueError | str):
        """Raises a ValueError, and stores it as `failure`."""
        self.failure = ValueError(error) if isinstance(error, str) else error
        raise self.failure

    def kept_data(self, row: int) -> bytes:
        """Returns the bytes of a row in `kept`; b"" for none."""
        if self.kept is None:
            return b""
        return self.kept[int(self.index[row])]

    def data(self, row: int) -> bytes:
        """Returns the bytes of a row; b"" if a file cannot be opened."""
        try:
            item = self[row]
            if isinstance(item, os.PathLike):
                with open(item, "rb") as file:
                    return file.read()
        except (OSError, Unreadable):
            return b""
        return item.encode() if isinstance(item, str) else item


def free_axes(spec: tf.TensorSpec) -> list[int]:
    """Returns axes of a row that differ from row to row."""
    return [i for i, size in enumerate(spec.shape) if size is None]


def batch_spec(spec: Spec, count: int | None) -> dict[str, tf.TensorSpec]:
    """Returns the spec of a batch, with `length` of padded axes.

    It is int32 `[batch]`, or `[batch, axes]` if there are several.
    """
    batch = {
        name: tf.TensorSpec((count, *one.shape), one.dtype)
        for name, one in spec.items()
    }
    axes = max(map(len, map(free_axes, spec.values())))
    if axes:
        shape = (count,) if axes == 1 else (count, axes)
        batch[LENGTH] = tf.TensorSpec(shape, tf.int32)
    return batch


def bare(batch: dict) -> object:
    """Returns the only value of a dictionary, or the dictionary."""
    return next(iter(batch.values())) if len(batch) == 1 else batch


def spread_rows(count: int, most: int) -> np.ndarray:
    """Returns up to `most` of `count` rows at equal distances, int64."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def pack(
    rows: Sequence[Mapping[str, np.ndarray]],
    spec: Spec,
    padded: Callable[[int], int],
) -> dict[str, np.ndarray]:
    """Stacks decoded rows, padding shorter axes with zeros.

    Args:
        rows: rows by name of the spec.
        spec: spec of a row; all names must have the same free axes.
        padded: from the longest free axis to the length of the batch.

    Returns:
        Arrays as in `batch_spec`.
    """
    batch, lengths = {}, None
    for name, one in spec.items():
        values, axes = [row[name] for row in rows], free_axes(one)
        batch[name] = _stack(values, axes, padded)
        if not axes:
            continue
        row_lengths = np.array(
            [[v.shape[a] for a in axes] for v in values], np.int32
        )
        if lengths is not None and not np.array_equal(row_lengths, lengths):
            raise ValueError(
                f"{name} must be as long as the other parts of its row. "
                f"Received: {some(row_lengths.tolist())}, not "
                f"{some(lengths.tolist())}"
            )
        lengths = row_lengths
    if lengths is not None:
        batch[LENGTH] = lengths[:, 0] if lengths.shape[1] == 1 else lengths
    return batch


def batch_of(rows: Sequence, spec: Spec) -> Batch:
    """Packs decoded rows, padded to powers of two.

    Takes and returns dictionaries of arrays by name, or the only array.
    """
    name = next(iter(spec))
    named = [row if isinstance(row, dict) else {name: row} for row in rows]
    return bare(pack(named, spec, power_of_two))


def power_of_two(length: int) -> int:
    """Returns the next power of two, to limit the lengths of batches."""
    return 1 << max(int(length) - 1, 0).bit_length()


def _stack(values, axes, padded):
    if not axes:
        return np.stack(values)
    shape = np.max([value.shape for value in values], axis=0)
    shape[axes] = padded(shape[axes].max())  # as long as wide: few shapes
    stacked = np.zeros((len(values), *map(int, shape)), values[0].dtype)
    for row, value in zip(stacked, values, strict=True):
        row[tuple(map(slice, value.shape))] = value
    return stacked
