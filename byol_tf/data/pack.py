"""Stores encoded rows once in a form that is fast to cut views from."""

import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import Unreadable, spread_rows
from byol_tf.data.store import CHUNK, Store, decoded_chunks
from byol_tf.files import whole_file
from byol_tf.lines import progress_bar

STORES = ("auto", "pixels", "shards", "files")
ROWS = 8192  # rows per file; interrupted, it continues with a file
SAMPLE = 64  # rows to estimate the total size from


class Codec(Protocol):
    """The stored form of a modality's rows.

    Attributes:
        key: everything that the form of a row depends on.
        of_files: whether a row is stored as the bytes of a file, its own if
            that needs no change.
        about: description of the changes.
    """

    key: object
    of_files: bool
    about: str

    def encode(self, item) -> bytes:
        """Encodes one item, or raises `Unreadable`."""

    def size(self, item) -> int:
        """Estimates its bytes from its header, or raises `Unreadable`."""

    def __call__(self, data: bytes):
        """Decodes the output of `encode`, as a `Decoder` does an item."""

    def to_be_cut(self, data: bytes, cuts: Callable[[int, int], int]):
        """Decodes it for views; see `Examples.read`."""


@dataclasses.dataclass(frozen=True, eq=False)
class PackedRows:
    """Rows in the form of a codec.

    Attributes:
        data: bytes by place, b"" for unreadable rows.
        places: int `[items]`, the place of each item; -1 for none.
        codec: codec that makes and reads them.
    """

    data: Sequence[bytes] = dataclasses.field(repr=False)
    places: np.ndarray
    codec: Codec

    def __getitem__(self, number: int) -> bytes:
        place = self.places[number]
        return self.data[place] if place >= 0 else b""


class Pack(Sequence):
    """Bytes of rows in a few large files.

    Args:
        paths: paths of files with `ROWS` rows each, except for the last.
    """

    def __init__(self, paths: Sequence[pathlib.Path]):
        self.paths = paths
        self.offsets = [np.load(_index_of(path)) for path in paths]

    def __len__(self) -> int:
        return sum(len(offsets) - 1 for offsets in self.offsets)

    def __getitem__(self, place: int) -> bytes:
        number, place = divmod(int(place), ROWS)
        start, stop = self.offsets[number][place : place + 2].tolist()
        with open(self.paths[number], "rb", buffering=0) as file:
            file.seek(start)
            return file.read(stop - start)


def estimated_bytes(examples: Examples, codec: Codec) -> int:
    """Estimates the bytes of a dataset from evenly spaced rows."""
    count, sizes = examples.num_examples, []
    for row in spread_rows(count, SAMPLE):
        try:
            sizes.append(codec.size(examples.rows[row]))
        except (Unreadable, OSError):  # reported when it is packed or read
            continue
    return math.ceil(count * np.mean(sizes)) if sizes else 0


def packed(
    examples: Examples, codec: Codec, store: Store, on_disk: bool
) -> Examples:
    """Packs all rows of a dataset, unless they are packed.

    Unreadable rows are listed as when a batch needs them.

    Args:
        examples: encoded examples.
        codec: codec of their modality.
        store: its folder keeps the files.
        on_disk: whether to write files, which later runs use again, or to keep
            the rows in memory.

    Raises:
        ValueError: if too many rows are unreadable, or there is no folder.
    """
    rows = examples.rows
    if rows.kept is not None:
        return examples
    places = np.full(len(rows.items), -1)
    places[rows.index] = np.arange(len(rows))
    with progress_bar(
        examples.name, total=len(rows), unit=next(iter(examples.spec)), delay=1
    ) as bar:
        positions = range(len(rows))
        if on_disk:
            data = _in_files(rows, codec, store, examples, bar)
        else:
            data = list(_encoded(rows, codec, positions, bar))
    rows = rows.subset(np.arange(len(rows)))
    rows.kept = PackedRows(data, places, codec)
    return dataclasses.replace(examples, rows=rows)


def _encoded(rows, codec, positions, bar) -> Iterator[bytes]:
    """Yields bytes of rows, b"" for unreadable ones."""
    chunks = decoded_chunks(
        positions,
        lambda row: codec.encode(rows[row]),
        min(CHUNK, len(positions)),
    )
    for row, data in (pair for chunk in chunks for pair in chunk):
        bar.update()
        if isinstance(data, Unreadable):
            rows.list_unreadable(row, str(data))
            data = b""
        yield data


def _in_files(rows, codec, store, examples, bar):
    digest = hashlib.sha256(repr(codec.key).encode())
    digest.update(rows.index.tobytes())
    identity = getattr(rows.items, "identity", None)
    for part in identity() if identity else [examples.fingerprint()]:
        digest.update(repr(part).encode())
    digest = digest.hexdigest()[:16]
    folder, paths = store.folder(), []
    for start in range(0, len(rows), ROWS):
        positions = range(start, min(start + ROWS, len(rows)))
        path = folder / f"{examples.name}-{digest}-{start // ROWS:05}.pack"
        paths.append(path)
        if _index_of(path).is_file():  # which is written last
            bar.update(len(positions))
            continue
        offsets = [0]
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            for data in _encoded(rows, codec, positions, bar):
                file.write(data)
                offsets.append(offsets[-1] + len(data))
        with whole_file(_index_of(path)) as temporary:
            np.save(temporary, np.array(offsets))
    return Pack(paths)


def _index_of(path):
    return path.with_suffix(".npy")
