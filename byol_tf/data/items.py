"""What is embedded or predicted: files, or rows of arrays, each by a name."""

import io
import os
import pathlib
from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.data.arrays import array_splits, load_arrays
from byol_tf.data.decoder import Decoder
from byol_tf.data.rows import size_and_time
from byol_tf.data.table_layout import listed_files


class Items:
    """Files of a folder.

    Attributes:
        folder: that the names are relative to.
        names: of the files, sorted paths with slashes.
    """

    def __init__(self, folder: str | os.PathLike, names: Sequence[str] = ()):
        self.folder = pathlib.Path(folder)
        self.names = names

    def read(self, name: str) -> os.PathLike | bytes:
        """Gives the path or the bytes of a file, as modalities decode it."""
        return self.folder / name

    def stat(self, name: str) -> tuple[int, int]:
        """Gives size and time of the last change, see `size_and_time`."""
        return size_and_time(self.folder / name)


class ArrayItems(Items):
    """Rows of an `.npz` file, named by split and number: "train/0".

    Args:
        file: see `load_arrays`; all its splits are taken.
        noun: what a row is, such as "image".
    """

    def __init__(self, file: str | os.PathLike, noun: str):
        plain = Decoder({noun: tf.TensorSpec(None)}, decode=bytes)
        self._rows = {
            split: load_arrays(file, split, plain).rows
            for split in array_splits(file, noun)
        }
        names = [
            f"{split}/{number}"
            for split, rows in self._rows.items()
            for number in range(len(rows))
        ]
        super().__init__(file, names)

    def read(self, name: str) -> bytes:
        """Gives a row as the bytes of an `.npy` file."""
        split, number = name.split("/")
        file = io.BytesIO()
        np.save(file, self._rows[split][int(number)])
        return file.getvalue()

    def stat(self, name: str) -> tuple[int, int]:
        return size_and_time(self.folder)


def find_items(
    data: str | os.PathLike, extensions: Collection[str], noun: str
) -> Items:
    """Finds all that there is to embed or predict.

    Args:
        data: a folder, a CSV file that names files, or an `.npz` file.
        extensions: of the files, in lower case, with the dot.
        noun: what an item is, such as "image".

    Raises:
        ValueError: there is no such thing, or nothing in it.
    """
    if is_arrays(data):
        return ArrayItems(data, noun)
    return Items(*listed_files(data, extensions, noun))


def items_of(origin: str | os.PathLike, noun: str) -> Items:
    """Gives access by name to what was found in a folder or a file before."""
    return ArrayItems(origin, noun) if is_arrays(origin) else Items(origin)


def is_arrays(data: str | os.PathLike) -> bool:
    """Whether data are an `.npz` file."""
    path = pathlib.Path(data)
    return path.suffix.lower() == ".npz" and path.is_file()
