"""Decodes files once, into memory or a memory-mapped file."""

import dataclasses
import errno
import hashlib
import itertools
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from absl import logging

from byol_tf.checks import check_choice
from byol_tf.data.rows import Unreadable
from byol_tf.files import whole_file
from byol_tf.lines import printable, progress_bar

UINT8 = np.dtype(np.uint8)
CACHES = ("auto", "memory", "disk")
CHUNK = 256  # images given to the threads at a time
Pairs = list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Store:
    """Where decoded rows are stored.

    Attributes:
        cache: "memory", "disk" (a memory-mapped file that later runs use
            again), or "auto": memory up to `cache_bytes`, else disk.
        cache_bytes: limit of "auto".
        cache_dir: folder of the files.
    """

    cache: str = "auto"
    cache_bytes: int = 4 * 2**30
    cache_dir: str | os.PathLike | None = None

    def __post_init__(self):
        check_choice("cache", self.cache, CACHES)

    def fill(
        self,
        count: int,
        shape: tuple[int, ...],
        write: Callable[[np.ndarray], tuple[np.ndarray, Pairs]],
        *,
        name: str,
        key: object,
        dtype: np.dtype = UINT8,
    ) -> tuple[np.ndarray, np.ndarray, Pairs]:
        """Returns rows, filled by `write` unless an earlier run did it.

        Args:
            count: largest number of rows.
            shape: shape of one row.
            write: gets an array `[count, *shape]`, fills its first `k` rows and
                returns `k` labels and the skipped rows.
            name: name for the file.
            key: everything the rows depend on; its `repr` is hashed.
            dtype: dtype of the rows.

        Returns:
            Rows `[k, *shape]`, labels int32 `[k]`, `(path, reason)` of the
            skipped rows.
        """
        shape = (count, *shape)
        on_disk = self.cache == "disk" or (
            self.cache == "auto"
            and math.prod(shape) * dtype.itemsize > self.cache_bytes
        )
        if not on_disk:
            array = np.empty(shape, dtype)
            labels, skipped = write(array)
            return array[: len(labels)], labels, skipped
        if dtype != UINT8:  # file names for uint8 do not contain it
            key = key, dtype.name
        digest = hashlib.sha256(repr((shape, key)).encode()).hexdigest()
        path = self.folder() / f"{name}-{digest[:16]}.npy"
        if path.exists():
            try:
                rows = _read_files(path, shape, dtype)
                logging.info("Using the decoded rows in %s.", path)
                return rows
            except Exception as error:  # damaged files can raise anything
                logging.warning(
                    "%s is damaged (%s); the rows are decoded again.",
                    *(path, " ".join(str(error).split())),
                )
        _write_files(path, shape, dtype, write)
        return _read_files(path, shape, dtype)

    def folder(self) -> pathlib.Path:
        """Returns the folder of the files, or raises a ValueError."""
        if not self.cache_dir:
            raise ValueError(
                "these rows need a disk cache, so `cache_dir` must name a "
                f"folder. Received: cache={self.cache!r}, "
                f"cache_bytes={self.cache_bytes}, cache_dir={self.cache_dir!r}"
            )
        return pathlib.Path(self.cache_dir)


def _read_files(path, shape, dtype):
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
        labels = file["labels"]
        skipped = [tuple(pair) for pair in file["skipped"].tolist()]
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if (array.shape, array.dtype) != (shape, dtype):
        raise ValueError(f"it holds {array.dtype} of shape {array.shape}")
    return array[: len(labels)], labels, skipped


def _write_files(path, shape, dtype, write):
    # Pixels are renamed last, so if they exist, everything does.
    with whole_file(path) as pixels:
        array = np.lib.format.open_memmap(pixels, "w+", dtype, shape)
        _reserve(pixels)
        labels, skipped = write(array)
        array.flush()
        with whole_file(path.with_suffix(".npz")) as file:
            np.savez(
                file,
                labels=labels,
                skipped=np.array(skipped, str).reshape(-1, 2),
            )


def _reserve(path):
    """Takes a file's room on the disk, or raises an OSError.

    A memory map that finds the disk full ends the process without a word.
    """
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
            except OSError as error:  # some file systems reserve nothing
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise


def decode_into(
    array: np.ndarray,
    items: Iterable[tuple[str, object, int]],
    prepare: Callable[[object], np.ndarray],
    *,
    description: str,
    unit: str = "row",
) -> tuple[np.ndarray, Pairs]:
    """Decodes in threads with a progress bar, and skips damaged items.

    Args:
        array: `[count, ...]`, filled from the top.
        items: at most `count` of `(name, source, label)`.
        prepare: from a source to the row, or an `Unreadable`.
        description: text of the progress bar.
        unit: unit of the progress bar.

    Returns:
        int32 labels of the decoded rows, and `(name, reason)` of the others.
    """
    labels, skipped = [], []
    with progress_bar(description, total=len(array), unit=unit, delay=1) as bar:
        for chunk in decoded_chunks(items, lambda item: prepare(item[1])):
            for (name, _, label), pixels in chunk:
                bar.update()
                if isinstance(pixels, Unreadable):
                    reason = str(pixels)
                    texts = map(printable, (name, reason))
                    logging.warning("Skipped %s: %s.", *texts)
                    skipped.append((name, reason))
                else:
                    _check_row(name, pixels, array)
                    array[len(labels)] = pixels
                    labels.append(label)
    return np.array(labels, np.int32), skipped


def _check_row(name, row, array):
    """Checks a row, which NumPy would silently cast and broadcast."""
    shape, dtype = np.shape(row), np.asarray(row).dtype
    if (shape, dtype) != (array.shape[1:], array.dtype):
        raise ValueError(
            f"{printable(name)}: a decoded row must be {array.dtype} of shape "
            f"{array.shape[1:]}. Received: {dtype} of shape {shape}"
        )


def decoded_chunks(
    items: Iterable,
    prepare: Callable[[object], np.ndarray],
    size: int = CHUNK,
) -> Iterator[list[tuple[object, np.ndarray | Unreadable]]]:
    """Decodes in threads, some items at a time, with read-ahead.

    Args:
        items: inputs of `prepare`.
        prepare: from an item to the row, or an `Unreadable`.
        size: items at a time.

    Yields:
        Up to `size` pairs of an item and its row, or the `Unreadable`.
    """

    def attempt(item):
        try:
            return prepare(item)
        except Unreadable as error:
            return error

    items = iter(items)
    pool = ThreadPoolExecutor(os.cpu_count())

    def begin():
        chunk = list(itertools.islice(items, size))
        return chunk, pool.map(attempt, chunk)

    try:
        pending = begin()
        while pending[0]:
            (chunk, results), pending = pending, begin()
            yield list(zip(chunk, results, strict=True))
    finally:  # also if the rest is not needed
        pool.shutdown(cancel_futures=True)
