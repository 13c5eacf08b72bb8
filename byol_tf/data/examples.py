"""A dataset, as the rest of the package uses it."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from byol_tf.data.order import block_order, epoch_order
from byol_tf.data.rows import (
    Batch,
    Encoded,
    Ragged,
    Rows,
    Spec,
    Unreadable,
    bare,
    free_axes,
    pack,
    power_of_two,
)
from byol_tf.lines import progress_bar
from byol_tf.runtime import cores

__all__ = ["Encoded", "Examples", "Ragged", "Rows", "Unreadable"]

FINGERPRINT_ROWS = 4096  # rows used for a fingerprint
MANY = 2000  # rows; reading as many shows a bar


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Rows with their labels.

    Rows are *dense*, of one shape and decoded; *ragged*, decoded and of varying
    length; or *encoded*, and decoded when a batch needs them.

    Attributes:
        rows: `[N, ...]`: an array of any type, a memory map, `Rows` of one,
            `Ragged` or `Encoded`.
        labels: int32 `[N]`, -1 for none.
        class_names: names of the labels, or ().
        name: name for messages and reports.
        skipped: `(path, reason)` of unreadable rows.
        paths: paths of the rows, relative to `folder`, or ().
        folder: folder of the rows, or "".
        decode: decodes encoded rows, see `Decoder`. None for strings that are
            used as they are.
        spec: `{name: tf.TensorSpec}` of a decoded row; None: that of `rows`,
            under the name "row".
        taken: how a folder was read, see `Layout.about`.
    """

    # Rows and paths may be gigabytes, so keep them out of tracebacks.
    rows: np.ndarray | Rows | Ragged | Encoded = dataclasses.field(repr=False)
    labels: np.ndarray
    class_names: tuple[str, ...] = ()
    name: str = "images"
    skipped: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    folder: str = ""
    decode: Callable[[object], Batch] | None = None
    spec: Spec | None = None
    taken: Mapping[str, object] | None = None

    def __post_init__(self):
        if len(self.rows) != len(self.labels):
            raise ValueError(
                "`rows` and `labels` must have the same length. Received: "
                f"len(rows)={len(self.rows)}, "
                f"len(labels)={len(self.labels)}"
            )
        if self.paths and len(self.paths) != len(self.labels):
            raise ValueError(
                "`paths` must be empty, or one for each row. Received: "
                f"{len(self.paths)} paths of {len(self.labels)} rows"
            )
        if self.spec is None:
            object.__setattr__(self, "spec", self._row_spec())
        elif not self.encoded and self._row_spec(*self.spec) != self.spec:
            raise ValueError(
                "`spec` must be that of the rows, "
                f"{self._row_spec(*self.spec)}. Received: {self.spec}"
            )

    def _row_spec(self, name="row", *_):
        if self.encoded:
            if self.decode is not None:
                raise ValueError("`spec` must say what `decode` gives")
            return {name: tf.TensorSpec((), tf.string)}
        return {name: tf.TensorSpec(self.rows.shape[1:], self.rows.dtype)}

    @property
    def encoded(self) -> bool:
        """Whether rows are decoded when a batch needs them."""
        return isinstance(self.rows, Encoded)

    @property
    def dense(self) -> bool:
        """Whether all rows are decoded and of one shape."""
        return not isinstance(self.rows, Encoded | Ragged)

    @property
    def num_examples(self) -> int:
        return len(self.rows)

    @property
    def row_shape(self) -> tuple[int | None, ...]:
        """Shape of a row, None for free axes: `(height, width, channels)`."""
        return tuple(next(iter(self.spec.values())).shape)

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return max(len(self.class_names), int(self.labels.max(initial=-1)) + 1)

    @property
    def labelled(self) -> bool:
        """Whether any example has a label."""
        return bool((self.labels >= 0).any())

    @property
    def by_blocks(self) -> bool:
        """Whether an epoch reads neighbouring rows close together."""
        packed = self.rows.kept if self.encoded else None
        return packed is not None and packed.codec.of_files

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Positions int64 `[N]` as an epoch takes them, see `data.order`."""
        order = block_order if self.by_blocks else epoch_order
        return order(self.num_examples, seed, epoch)

    def fingerprint(self) -> str:
        """Returns 16 hex digits of shape, labels and contents of 4,096 rows.

        Uses evenly spaced rows; for encoded ones the bytes of the items, and
        their stored form if it changes the pixels of views. Read once, although
        every checkpoint asks for it.
        """
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self):
        count = self.num_examples
        index = np.unique(
            np.linspace(0, max(count - 1, 0), min(count, FINGERPRINT_ROWS))
            .round()
            .astype(np.int64)
        )
        digest = hashlib.sha256(repr(tuple(self.rows.shape)).encode())
        digest.update(np.ascontiguousarray(self.labels, "<i4").tobytes())
        packed = self.rows.kept if self.encoded else None
        if packed is not None and not packed.codec.of_files:
            digest.update(repr(packed.codec.key).encode())
        for part in self._contents(index):
            digest.update(part)
        return digest.hexdigest()[:16]

    def _contents(self, index):
        """Yields bytes that are equal if the rows are."""
        if self.dense:
            for start in range(0, len(index), 256):
                rows = self.rows[index[start : start + 256]]
                yield np.ascontiguousarray(rows).tobytes()
            return
        previous = None
        for row in index:
            if self.encoded and (part := self.rows.part(row)):
                path, number = part
                yield number.to_bytes(8, "little")
                if path == previous:  # a long recording is read once
                    continue
                previous = path
            if self.encoded:
                packed = self.rows.kept
                of_files = packed is not None and packed.codec.of_files
                data = of_files and self.rows.kept_data(row)
                data = data or self.rows.data(row)
            else:
                data = np.ascontiguousarray(self.rows[row]).tobytes()
            yield len(data).to_bytes(8, "little")
            yield data

    def read(
        self, row: int, cuts: Callable[[int, int], int] | None = None
    ) -> dict[str, np.ndarray]:
        """Decodes one row, by name of the spec; or raises `Unreadable`.

        Args:
            row: its position.
            cuts: what will be cut out of it, for a `decode` with a method
                `to_be_cut(item, cuts)`, which may then do less, or return a
                list to cut from.
        """
        value = self._decoded(row, cuts) if self.encoded else self.rows[row]
        if not isinstance(value, dict):
            value = {next(iter(self.spec)): value}
        if cuts is not None and isinstance(bare(value), list):
            return value
        row = {name: np.asarray(value[name]) for name in self.spec}
        for name, spec in self.spec.items():
            shape, dtype = row[name].shape, row[name].dtype
            fits = spec.shape.is_compatible_with(shape)
            if not fits or tf.as_dtype(dtype) != spec.dtype:
                raise ValueError(
                    f"{name} of a decoded row must be {spec.dtype.name} of "
                    f"shape {spec.shape}. Received: {dtype} of shape {shape}"
                )
        return row

    def _decoded(self, row, cuts):
        if (reason := self.rows.reason(row)) is not None:
            raise Unreadable(reason)
        if self.decode is None:
            return np.array(self.rows.data(row), object)
        if item := self.rows.kept_data(row):
            decode = self.rows.kept.codec
        else:  # only now, since it may be far away
            item, decode = self.rows[row], self.decode
        to_be_cut = getattr(decode, "to_be_cut", None)
        if cuts is not None and to_be_cut is not None:
            return to_be_cut(item, cuts)
        return decode(item)

    def take(self, index: np.ndarray, prepare: Callable | None = None) -> Batch:
        """Decodes the rows at these positions, as one batch.

        Axes that differ are padded with zeros to the lengths in
        `Ragged.padded_lengths`, or for encoded rows to powers of two, and the
        batch gets `length`. A `prepare` with a function `one` brings each
        encoded row to one size instead, as large photos take too much memory.

        Returns:
            Arrays by name of the spec; a single array for a single name.

        Raises:
            Unreadable: if one of them cannot be decoded, see `readable`.
        """
        index = np.asarray(index)
        if self.dense:
            return np.asarray(self.rows[index])
        if self.encoded:
            free = any(map(free_axes, self.spec.values()))
            one = getattr(prepare, "one", None) if free else None
            read = (lambda row: one(bare(self.read(row)))) if one else self.read
            # Files are waited for by more threads than cores; but each that
            # prepares a photo holds it as floats.
            with ThreadPoolExecutor(cores() if one else None) as pool:
                rows = list(pool.map(read, index))
            if one:
                return np.stack(rows)
            return bare(pack(rows, self.spec, power_of_two))
        rows = list(map(self.read, index))
        return bare(pack(rows, self.spec, self.rows.padded))

    def readable(self) -> "Examples":
        """Tries every encoded row; leaves out and lists unreadable ones.

        For sets to measure on, where no row may replace another. Raises a
        ValueError if no row can be read.
        """
        if not self.encoded:
            return self
        positions = np.arange(self.num_examples)
        readable = self.readable_rows(positions)
        names = self.paths or [f"row {row}" for row in positions]
        skipped = tuple(
            (names[row], self.rows.reason(row))
            for row in np.setdiff1d(positions, readable)
        )
        if skipped and not len(readable):
            path, reason = skipped[0]
            raise ValueError(
                f"none of the {len(positions)} rows of {self.name} can be "
                f"read; the first, {path}: {reason}"
            )
        skipped = self.skipped + skipped
        return dataclasses.replace(self.subset(readable), skipped=skipped)

    def readable_rows(self, index: np.ndarray) -> np.ndarray:
        """Returns the readable ones of some positions; lists the others."""
        if not self.encoded:
            return index
        with ThreadPoolExecutor() as pool:
            is_readable = list(
                progress_bar(
                    f"reading {self.name}",
                    pool.map(self._is_readable, index),
                    total=len(index),
                    disable=len(index) < MANY,
                )
            )
        return index[is_readable]

    def _is_readable(self, row):
        try:
            self.read(row)
        except Unreadable as error:
            self.rows.list_unreadable(row, str(error))
            return False
        return True

    def numbered(self) -> "Examples":
        """Returns the same examples with their positions as labels."""
        positions = np.arange(self.num_examples, dtype=np.int32)
        return dataclasses.replace(self, labels=positions)

    def reduced(self, view: Callable | None) -> "Examples":
        """Returns the same rows, decoded no larger than a view of them needs.

        Args:
            view: see `Modality.train_view`; without `reduce`, nothing changes.
        """
        reduce = getattr(view, "reduce", None)
        if not self.encoded or reduce is None:
            return self
        decode = functools.partial(reduce, self.decode)
        return dataclasses.replace(self, decode=decode)

    def subset(self, index: np.ndarray) -> "Examples":
        """Selects examples by position; rows on disk are not copied."""
        index = np.arange(self.num_examples)[np.asarray(index)]
        if isinstance(self.rows, np.memmap):
            rows = Rows(self.rows, index)
        elif isinstance(self.rows, Rows | Ragged | Encoded):
            rows = self.rows.subset(index)
        else:
            rows = self.rows[index]
        paths = np.array(self.paths, object)[index] if self.paths else ()
        return dataclasses.replace(
            self, rows=rows, labels=self.labels[index], paths=tuple(paths)
        )
