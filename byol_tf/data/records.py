"""Rows in TFRecord files, read individually in place."""

import hashlib
import os
import pathlib
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_tf.data.arrays import as_classes
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Encoded, Examples
from byol_tf.data.rows import size_and_time
from byol_tf.data.store import Store, decode_into
from byol_tf.files import whole_file
from byol_tf.lines import progress_bar

HEAD, TAIL = 12, 4  # bytes around a record: length and checksum; checksum
EXTENSIONS = (".tfrecord", ".tfrecords")
GZIP = b"\x1f\x8b"


class Part(NamedTuple):
    """Records of a file: `take` of them (-1: all) after `skip`."""

    path: str
    skip: int = 0
    take: int = -1


class Records(Sequence):
    """The bytes of one feature of each record, b"" unless it has one value.

    Args:
        paths: paths of the files.
        table: int64 `[N, 3]`: number of the file, start and length of a record.
        feature: name of the feature.
        sound: samples per second and channels, if its numbers are samples:
            16-bit integers, or floats in [-1, 1]. They become an AU file.
    """

    def __init__(
        self,
        paths: Sequence[str],
        table: np.ndarray,
        feature: str,
        sound: tuple[int, int] | None = None,
    ):
        self.paths, self.table, self.feature = paths, table, feature
        self.sound = sound

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, number: int) -> bytes:
        file, start, length = self.table[number].tolist()
        with open(self.paths[file], "rb", buffering=0) as opened:
            opened.seek(start)
            return self._value(opened.read(length))

    def identity(self) -> list:
        """Returns what changes with the files or the choice of records."""
        return [*map(size_and_time, self.paths), self.table.tobytes()]

    def _value(self, record):
        feature = _features(record)[self.feature]
        if self.sound:
            for code, dtype, raw in (
                (3, ">i2", feature.int64_list.value),
                (6, ">f4", feature.float_list.value),
            ):
                if raw:
                    samples = np.array(raw).astype(dtype).tobytes()
                    header = 24, len(samples), code, *self.sound
                    return struct.pack(">4s5I", b".snd", *header) + samples
        values = feature.bytes_list.value
        return values[0] if len(values) == 1 else b""


def load_tfrecords(
    directory: str | os.PathLike,
    split: str,
    decoder: Decoder,
    store: Store,
    features: str,
) -> Examples:
    """Loads the records of a split, in place.

    Files are those whose names begin with the split ("train-00000-of-00002"),
    with an extension of `EXTENSIONS` or "-of-" in them. They are read once to
    index the records; `store` keeps the index if it has a folder.

    Args:
        directory: the folder.
        split: prefix of the files' names.
        decoder: decoder of the rows.
        store: its folder keeps the index.
        features: names of the row's feature and, after a comma, of the label's,
            an int64; "image" or "image," for none.

    Raises:
        ValueError: if there is no such file or feature, or a file is damaged.
    """
    folder = pathlib.Path(directory)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {str(directory)!r} of TFRecords")
    paths = sorted(path for path in folder.iterdir() if _is_records(path))
    split_paths = [path for path in paths if path.name.startswith(split)]
    if not split_paths:
        raise ValueError(
            f"no TFRecord file in {str(directory)!r} begins with {split!r}; "
            f"there are {', '.join(path.name for path in paths[:5]) or 'none'}"
        )
    name = folder.resolve().name
    parts = [Part(str(path)) for path in split_paths]
    row, _, label = features.partition(",")
    return streamed(parts, (row, label.strip()), decoder, store, name)


def _is_records(path):
    return path.suffix in EXTENSIONS or "-of-" in path.name


def streamed(
    parts: Sequence[Part],
    features: tuple[str, str],
    decoder: Decoder,
    store: Store,
    name: str,
    class_names: tuple[str, ...] = (),
    sound: tuple[int, int] | None = None,
) -> Examples:
    """Makes examples of records that stay in their files.

    Arguments are as for `load_tfrecords` and `Records`; `parts` are the files
    in order, and `features` is a pair of names.
    """
    table, labels = _cached_table(parts, features, store, name)
    if not len(table):
        raise ValueError(f"the TFRecord files of {name} have no records")
    rows, skipped = (
        Records([part.path for part in parts], table, features[0], sound),
        [],
    )
    if decoder.of_files is not None:
        decoder = decoder.of_files(rows)
    if decoder.shape is not None:
        rows, labels, skipped = _decoded(rows, labels, decoder, store, name)
    return Examples(
        *(rows if decoder.shape else Encoded(rows), labels, class_names, name),
        skipped=tuple(skipped),
        decode=None if decoder.shape else decoder.decode,
        spec=decoder.spec,
    )


def _decoded(rows, labels, decoder, store, name):
    """Returns rows of one shape, decoded once; see `Store.fill`."""

    def write(array):
        items = (
            (f"record {number}", number, label)
            for number, label in enumerate(labels.tolist())
        )
        return decode_into(
            array,
            items,
            lambda number: decoder.decode(rows[number]),
            description=name,
            unit=decoder.name,
        )

    return store.fill(
        len(rows),
        decoder.shape,
        write,
        name=name.replace("/", "-"),
        key=(decoder.key, rows.feature, rows.identity()),
        dtype=decoder.dtype,
    )


def _cached_table(parts, features, store, name):
    """Returns the index of `Records` and int32 labels, read once."""
    if not store.cache_dir:
        return _table(parts, features, name)
    key = features, [(part, *size_and_time(part.path)) for part in parts]
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    path = store.folder() / f"{name.replace('/', '-')}-{digest}.npz"
    if not path.is_file():
        table, labels = _table(parts, features, name)
        with whole_file(path) as temporary:
            np.savez(temporary, table=table, labels=labels)
    with np.load(path) as file:
        return file["table"], file["labels"]


def _table(parts, features, name):
    rows, labels = [], []
    with progress_bar(name, unit="record", delay=1) as bar:
        for number, part in enumerate(parts):
            for start, record in _records(part):
                rows.append((number, start, len(record)))
                labels.append(_label(record, features, part.path))
                bar.update()
    labels = as_classes(np.array(labels, np.int64), name)
    return np.array(rows, np.int64).reshape(-1, 3), labels


def _records(part) -> Iterator[tuple[int, bytes]]:
    """Yields where each record of a part begins, and its bytes."""
    size, last = os.path.getsize(part.path), part.skip + part.take
    with open(part.path, "rb") as file:
        if file.read(2) == GZIP:
            raise ValueError(
                f"{part.path} is compressed; write it without compression, so "
                "that single records can be read"
            )
        start, number = 0, 0
        while start < size and (part.take < 0 or number < last):
            file.seek(start)
            header = file.read(HEAD)
            (length,) = struct.unpack("<Q", header[:8].ljust(8, b"\xff"))
            end = start + HEAD + length + TAIL
            if end > size:
                raise ValueError(
                    f"{part.path} is damaged, or no TFRecord file: the record "
                    f"at byte {start} ends beyond the file"
                )
            if number >= part.skip:
                yield start + HEAD, file.read(length)
            start, number = end, number + 1


def _label(record, features, path):
    row, label = features
    try:
        record_features = _features(record)
    except Exception as error:  # protobuf's own
        raise ValueError(
            f"a record of {path} is no tf.train.Example"
        ) from error
    missing = [
        name for name in (row, label) if name and name not in record_features
    ]
    if missing:
        raise ValueError(
            f"{path} has no feature {' and '.join(missing)}; it has "
            f"{', '.join(sorted(record_features))}; name those of the row "
            "and of the label by --config.data.features"
        )
    values = record_features[label].int64_list.value if label else ()
    return values[0] if len(values) == 1 else -1


def _features(record):
    return tf.train.Example.FromString(record).features.feature
