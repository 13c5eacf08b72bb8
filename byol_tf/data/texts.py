"""Examples from cells of tables, such as texts with labels."""

import os
import pathlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from byol_tf.data.cells import TABLES, check_column, read_cells
from byol_tf.data.decoder import Columns, Decoder
from byol_tf.data.examples import Encoded, Examples
from byol_tf.data.layout import SPLIT, SPLITS, split_of
from byol_tf.data.rows import Files
from byol_tf.data.table_layout import FILE as LABELS
from byol_tf.lines import nfc, printable, some

LABEL, TEXT = "label", "text"
EMPTY = "an empty cell"


class CellFiles(Files):
    """Cells of tables, each with a name such as `train.csv:17`."""

    def __init__(self, root, paths, cells: Sequence[bytes]):
        super().__init__(root, paths)
        self.cells = cells

    def __getitem__(self, number) -> bytes:
        return self.cells[number]


def find_tables(directory: str | os.PathLike) -> dict[str, pathlib.Path]:
    """Finds the tables of splits.

    Args:
        directory: a folder, with files such as `train.csv` and `test.csv`, or
            with a single table; or a table.

    Returns:
        Paths by name of the split, "train" for a single table; empty without
        tables.

    Raises:
        ValueError: if a split has several tables.
    """
    path = pathlib.Path(directory)
    if path.is_file():
        is_table = path.suffix.lower() in TABLES
        return {SPLIT: path} if is_table else {}
    tables = _tables(path)
    splits = {}
    for file in tables:
        if split_of(file.stem) in SPLITS and file != splits.setdefault(
            file.stem, file
        ):
            raise ValueError(
                f"{path} has several tables of the split {file.stem!r}: "
                f"{splits[file.stem].name} and {file.name}; move one away"
            )
    if any(split_of(name) == SPLIT for name in splits):
        return splits
    tables = [file for file in tables if file.suffix.lower() != ".txt"]
    return {SPLIT: tables[0]} if len(tables) == 1 else {}


def load_cells(
    directory: str | os.PathLike,
    split: str,
    decoder: Decoder,
    label_column: str = "",
) -> Examples:
    """Loads the rows of a split's table, and logs a line about it.

    Rows stay encoded; rows without text are skipped. Classes are numbered as in
    the training table, with others after them.

    Args:
        directory: see `find_tables`.
        split: its name.
        decoder: decoder of the texts, with its `columns`.
        label_column: name of the column of labels; "": "label", if it exists.

    Raises:
        ValueError: if there is no such table or column, or it has no rows.
    """
    tables = find_tables(directory)
    path = _table_of(directory, tables, split)
    columns = decoder.columns, label_column
    rows = _read(path, *columns)
    train = next((p for n, p in tables.items() if split_of(n) == SPLIT), path)
    training_rows = rows if train == path else _read(train, *columns)
    names = _sort_names({*training_rows.labels} - {""})
    names += _sort_names({*rows.labels} - {"", *names})
    names = tuple(names) if len(names) > 1 else ()
    index = {name: number for number, name in enumerate(names)}
    labels = [index.get(label, -1) for label in rows.labels]
    skipped = tuple((name, EMPTY) for name in rows.empty)
    about = {"folder": printable(str(path.parent)), "split": split}
    counts = Counter(labels)
    about |= {"layout": "table", "files": len(labels), "left_out": {}}
    about |= {"classes": {n: counts[i] for i, n in enumerate(names)}}
    if skipped:
        about["left_out"] = {"rows without a text": len(skipped)}
    duplicates = len(rows.cells) - len(set(rows.cells))
    logging.info(
        "Split %r: %d texts of %s (%s)%s%s.",
        *(split, len(labels), path.name),
        f"{len(names)} classes" if names else "no classes",
        f"; left out: {len(skipped)} without a text" if skipped else "",
        f"; {duplicates} are the same as another one" if duplicates else "",
    )
    return Examples(
        Encoded(CellFiles(path.parent, rows.names, rows.cells)),
        np.array(labels, np.int32),
        names,
        printable(pathlib.Path(directory).resolve().stem),
        skipped,
        paths=tuple(rows.names),
        folder=str(path.parent),
        decode=decoder.decode,
        spec=decoder.spec,
        taken=about,
    )


def root_and_tables(
    data: str | os.PathLike,
) -> tuple[pathlib.Path, list[str]]:
    """Returns a folder and the names of its tables, also for a single table."""
    path = pathlib.Path(data)
    if path.is_file():
        return path.parent, [path.name]
    return path, [file.name for file in _tables(path)]


class _Rows(NamedTuple):
    names: list[str]
    cells: list[bytes]
    labels: list[str]
    empty: list[str]  # names of rows without a text


def _read(path, columns: Columns, label_column):
    """Reads texts, labels and names of all rows of a table."""
    text, label = columns.text or TEXT, label_column or LABEL
    table = read_cells(path, [text, label, columns.pair])
    check_column(path, table.columns, text, "text_column")
    if columns.pair:
        check_column(path, table.columns, columns.pair, "pair_column")
    if label_column:
        check_column(path, table.columns, label_column, "label_column")
    rows = _Rows([], [], [], [])
    for number, (cell, label, pair) in table.rows:
        name = f"{path.name}:{number}"
        if not cell or (columns.pair and not pair):
            rows.empty.append(name)
            continue
        if columns.pair:
            separator = columns.between.encode()
            cell = cell.replace(separator, b" ") + separator + pair
        rows.names.append(name)
        rows.cells.append(cell)
        rows.labels.append(nfc(printable(label.decode("utf-8", "replace"))))
    if not rows.names:
        raise ValueError(f"{path} has no row with a text")
    return rows


def _sort_names(names):
    """Sorts numbers by value, and other names by letters."""
    names = sorted(names)  # decides between 1 and 1.0
    try:
        return sorted(names, key=float)
    except ValueError:
        return names


def _table_of(directory, tables, split):
    for name, path in tables.items():
        if split in (name, path.name):
            return path
    alike = [p for n, p in tables.items() if split_of(n) == split_of(split)]
    if len(alike) == 1:
        return alike[0]
    field = "train_split" if split_of(split) == SPLIT else "test_split"
    raise ValueError(
        f"{directory} has no table of the split {split!r}, but "
        f"{some([p.name for p in tables.values()])}; name one by "
        f"--config.data.{field}="
    )


def _tables(folder):
    """Returns the tables of a folder; the list of labels is about files."""
    return sorted(
        file
        for file in (folder.iterdir() if folder.is_dir() else ())
        if file.suffix.lower() in TABLES
        and file.name[0] != "."
        and file.name != LABELS
    )
