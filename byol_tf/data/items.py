"""Items to embed or predict: files, or rows of arrays, each with a name."""

import io
import os
import pathlib
from collections.abc import Callable, Collection, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.data.arrays import array_splits, load_arrays
from byol_tf.data.cells import check_column, read_cells
from byol_tf.data.decoder import Decoder
from byol_tf.data.recordings.cutting import names_of_parts, part_of
from byol_tf.data.recordings.decode import Piece
from byol_tf.data.rows import size_and_time
from byol_tf.data.table_layout import listed_files
from byol_tf.data.texts import TEXT, find_tables, root_and_tables
from byol_tf.lines import printable


class Items:
    """Files of a folder, or parts of them, see `names_of_parts`.

    Attributes:
        folder: folder that the names are relative to.
        names: sorted paths with slashes.
    """

    def __init__(self, folder: str | os.PathLike, names: Sequence[str] = ()):
        self.folder = pathlib.Path(folder)
        self.names = names

    def read(self, name: str) -> os.PathLike | bytes:
        """Returns the path or the bytes of a file, for a modality to decode."""
        file, seconds = part_of(name)
        if not seconds:
            return self.folder / name
        start, end = seconds.values()
        return Piece(str(self.folder / file), start, end - start)

    def caption(self, name: str) -> str:
        """Returns the name, with a description for the user."""
        return name

    def stat(self, name: str) -> tuple[int, int]:
        """Returns size and time of the last change, see `size_and_time`."""
        return size_and_time(self.folder / part_of(name)[0])


class ArrayItems(Items):
    """Rows of an `.npz` file, named by split and number: "train/0".

    Args:
        file: see `load_arrays`; all its splits are used.
        noun: word for a row, such as "image".
    """

    def __init__(self, file: str | os.PathLike, noun: str):
        decoder = Decoder({noun: tf.TensorSpec(None)}, decode=bytes)
        self._rows = {
            split: load_arrays(file, split, decoder).rows
            for split in array_splits(file, noun)
        }
        names = [
            f"{split}/{number}"
            for split, rows in self._rows.items()
            for number in range(len(rows))
        ]
        super().__init__(file, names)

    def read(self, name: str) -> bytes:
        """Returns a row as an `.npy` file, b"" if it is no longer there."""
        split, number = name.split("/")
        rows, number = self._rows.get(split, ()), int(number)
        if number >= len(rows):
            return b""
        file = io.BytesIO()
        np.save(file, rows[number])
        return file.getvalue()

    def stat(self, name: str) -> tuple[int, int]:
        return size_and_time(self.folder)


class CellItems(Items):
    """Cells of the tables of a folder, or of one table.

    Args:
        data: the folder or the file.
        column: column of the cells; "": "text".

    Raises:
        ValueError: if no table has such a column.
    """

    def __init__(self, data: str | os.PathLike, column: str = ""):
        (root, files), column = root_and_tables(data), column or TEXT
        tables = {file: read_cells(root / file, [column]) for file in files}
        matching = [f for f, t in tables.items() if column in t.columns]
        if not matching:
            file, table = next(iter(tables.items()))
            check_column(root / file, table.columns, column, "text_column")
        if others := sorted(tables.keys() - {*matching}):
            logging.warning(
                "Left out: %s, without a column %r.",
                *(", ".join(others), column),
            )
        self._cells = {
            f"{file}:{number}": cell
            for file in matching
            for number, (cell,) in tables[file].rows
            if cell
        }
        self._stats = {file: size_and_time(root / file) for file in matching}
        super().__init__(data, list(self._cells))

    def read(self, name: str) -> bytes:
        """Returns the bytes of a cell, b"" if it is no longer there."""
        return self._cells.get(name, b"")

    def stat(self, name: str) -> tuple[int, int]:
        """Returns size and time of the last change of the table."""
        return self._stats[name.rpartition(":")[0]]

    def caption(self, name: str) -> str:
        """Returns the name and the beginning of the text."""
        text = printable(self.read(name).decode("utf-8", "replace"))
        return f"{name} {text if len(text) < 80 else text[:77] + '...'}"


def find_items(
    data: str | os.PathLike,
    extensions: Collection[str],
    noun: str,
    column: str | None = None,
    cut: Callable | None = None,
) -> Items:
    """Finds everything to embed or predict.

    Args:
        data: a folder, a file, a CSV file that names files, or an `.npz` file.
        extensions: extensions of the files, in lower case, with the dot.
        noun: word for an item, such as "image".
        column: column of tables whose cells are items, "": the usual one; None:
            only files.
        cut: how a file becomes several items, see `Decoder.cut`.

    Raises:
        ValueError: if it does not exist, or is empty.
    """
    if is_arrays(data):
        return ArrayItems(data, noun)
    if column is not None and _in_tables(data):
        return CellItems(data, column)
    folder, names = listed_files(data, extensions, noun)
    return Items(folder, names_of_parts(folder, names, cut) if cut else names)


def items_of(
    origin: str | os.PathLike, noun: str, column: str | None = None
) -> Items:
    """Gives access by name to items found before in a folder or file."""
    if column is not None and _in_tables(origin):
        return CellItems(origin, column)
    return ArrayItems(origin, noun) if is_arrays(origin) else Items(origin)


def _in_tables(data):
    """Returns whether it is a table, or a folder with one (not of lines).

    A folder with only `.txt` files has a text in each, unless they are splits.
    """
    _, files = root_and_tables(data)
    tables = [name for name in files if not name.lower().endswith(".txt")]
    return bool(tables or find_tables(data))


def is_arrays(data: str | os.PathLike) -> bool:
    """Returns whether data are an `.npz` file."""
    path = pathlib.Path(data)
    return path.suffix.lower() == ".npz" and path.is_file()
