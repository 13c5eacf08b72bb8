"""Finds rows by `labels.csv`, which takes precedence over folder names."""

import os
import pathlib
from collections import Counter
from collections.abc import Collection

from absl import logging

from byol_tf.checks import check_choice
from byol_tf.data.label_table import LabelTable, read_label_table
from byol_tf.data.layout import (
    LAYOUTS,
    OTHER_SPLITS,
    OVERRIDE,
    SPLIT,
    SPLITS,
    Layout,
    find_layout,
    labels_of,
    split_of,
)
from byol_tf.data.walk import (
    check_found,
    files_below,
    find_files,
    format_counts,
)
from byol_tf.lines import plural, printable, some

FILE = "labels.csv"
LABEL_COLUMN, SPLIT_COLUMN = "label", "split"
CHOICE = "--config.data.label_column"
_WITHOUT = f"{OVERRIDE}=classes, splits or flat"


def find_split(
    directory: str | os.PathLike,
    split: str,
    extensions: Collection[str],
    name: str,
    layout: str = "auto",
    label_column: str = "",
) -> Layout:
    """Finds the files of one split, and their classes.

    A column `split` of the table gives the split of a row. Without it, the
    folders train, test and so on do, if all its paths begin with them. Files
    without a row have no label; they are left out if the column is used.

    Args:
        directory: a folder, with or without `labels.csv`; or such a CSV file
            with paths relative to its folder, to use only its rows.
        split, extensions, name: see `find_layout`.
        layout: "table": by `labels.csv`; "auto": by it if it exists; others
            ignore it, see `find_layout`.
        label_column: column of the table; "": "label", if it exists.

    Raises:
        ValueError: if there is no such folder, table, column or split, or it
            has no files.
    """
    check_choice("layout", layout, LAYOUTS)
    file = _table_file(directory, layout)
    if file is not None:
        by_name = file == pathlib.Path(directory)
        return _by_table(file, by_name, split, extensions, name, label_column)
    if label_column:
        raise ValueError(
            f"data.label_column={label_column!r} is a column of {FILE}, but "
            f"{str(directory)!r} has no such file that layout={layout} reads; "
            "leave the column empty, or add the file"
        )
    return find_layout(directory, split, extensions, name, layout)


def listed_files(
    data: str | os.PathLike, extensions: Collection[str], name: str
) -> tuple[pathlib.Path, list[str]]:
    """Finds all files of a folder, or those that a CSV file names.

    Args:
        data: the folder, one such file, or a table as in `find_split`.
        extensions: extensions of the files, in lower case, with the dot.
        name: word for such a file, for messages.

    Returns:
        The folder, and sorted paths relative to it.

    Raises:
        ValueError: if there is no such folder, table or file.
    """
    path = pathlib.Path(data)
    if path.suffix.lower() in extensions and path.is_file():
        return path.parent, [path.name]
    if not is_table(path):
        if path.is_file():
            raise ValueError(
                f"{str(path)!r} is neither a folder, a table nor a file of "
                f"{plural(name)}; their names end with {', '.join(extensions)}"
            )
        if not path.is_dir():
            raise ValueError(f"there is no file or folder {str(path)!r}")
        return path, find_files(path, extensions, name)
    table = read_label_table(path)
    paths, rows = _files(path, table, True, extensions, name, Counter())
    if missing := len(table) - len(rows):
        logging.warning(
            "%d of %d rows of %s name no existing %s.",
            *(missing, len(table), printable(path), name),
        )
    return path.parent, paths


def is_table(data: str | os.PathLike) -> bool:
    """Returns whether data are a CSV file."""
    path = pathlib.Path(data)
    return path.suffix.lower() == ".csv" and path.is_file()


def without_splits(table: LabelTable, column: str = "") -> LabelTable:
    """Returns the table with one column, or with all that are no splits."""
    columns = [column] if column else set(table.columns) - {SPLIT_COLUMN}
    return table.with_columns(columns)


def _table_file(directory, layout):
    """Returns the table to use; None if folder names are used."""
    if not directory or is_table(directory):
        return pathlib.Path(directory) if directory else None
    file = pathlib.Path(directory) / FILE
    if layout == "table" and not file.is_file():
        raise ValueError(
            f"data.layout=table needs {FILE} in {str(directory)!r}, with the "
            f"columns path and {LABEL_COLUMN}, and {SPLIT_COLUMN} if you like"
        )
    use_table = layout in ("auto", "table") and file.is_file()
    return file if use_table else None


def _read(file, by_name):
    try:
        return read_label_table(file)
    except ValueError as error:
        if by_name:
            raise
        raise ValueError(f"{error}; or ignore it by {_WITHOUT}") from error


def _by_table(file, by_name, split, extensions, name, label_column):
    table, left_out = _read(file, by_name), Counter()
    paths, rows = _files(file, table, by_name, extensions, name, left_out)
    positions = _files_of_split(table, paths, rows, split, left_out)
    if not positions:
        raise ValueError(
            f"{file}: none of the files that split {split!r} names can be "
            f"used as {name}: {format_counts(left_out)}; check the column "
            "of paths"
        )
    paths = [paths[number] for number in positions]
    rows = [rows[number] for number in positions]
    labels, names, note = _labels(table, rows, label_column)
    if names and not by_name and labels_of(paths)[1]:
        note += f", not of the folders ({OVERRIDE}=classes)"
    if names and (count := rows.count(-1)):
        note += f", which has no row of {count}"
    return Layout(
        *(file.parent, paths, labels, names, split, "table", left_out),
        table=file.name,
        note=note,
    )


def _files(file, table, by_name, extensions, name, left_out):
    """Returns sorted files below the table's folder, and the row of each or -1.

    By name: only files with a row, at the places that the rows name.
    """
    tops = {path.split("/")[0] for path in table.paths} if by_name else None
    paths = sorted(files_below(file.parent, extensions, left_out, tops))
    if not by_name:
        check_found(paths, file.parent, extensions, name, left_out)
    rows = table.rows_of(paths)
    with_row = [number for number, row in enumerate(rows) if row >= 0]
    if not with_row:
        raise ValueError(_no_file(file, table, paths, by_name))
    if not by_name:
        return paths, rows
    return [paths[number] for number in with_row], [rows[n] for n in with_row]


def _no_file(file, table, paths, by_name):
    other = "" if by_name else f", or ignore it by {_WITHOUT}"
    example_paths = f", those of files like {some(paths)}" if paths else ""
    return (
        f"no row of {file} names an existing file: its paths are like "
        f"{some(table.paths)}{example_paths}; write them relative to "
        f"{str(file.parent)!r}{other}"
    )


def _files_of_split(table, paths, rows, split, left_out):
    """Returns numbers of the files of a split; counts what is left out."""
    row_splits, file_splits = _splits(table, paths, rows)
    name = _name_of(split, {*row_splits, *file_splits} - {""}, table)
    by_column = SPLIT_COLUMN in table.columns
    used_rows = {row for row in rows if row >= 0}
    split_rows = {row for row, other in enumerate(row_splits) if other == name}
    counts = {
        OTHER_SPLITS: len(row_splits) - len(split_rows) - row_splits.count(""),
        "rows without a split": row_splits.count(""),
        "rows without a file": len(split_rows - used_rows),
        "files without a row": rows.count(-1) if by_column else 0,
    }
    left_out.update({key: count for key, count in counts.items() if count})
    return [number for number, other in enumerate(file_splits) if other == name]


def _splits(table, paths, rows):
    """Returns lower-case splits of all rows and files; "" for none."""
    cells = table.columns.get(SPLIT_COLUMN)
    if cells is not None:
        row_splits = [cell.casefold() for cell in cells]
        return row_splits, [row_splits[row] if row >= 0 else "" for row in rows]
    row_splits, file_splits = (
        [path.split("/")[0].casefold() for path in some_paths]
        for some_paths in (table.paths, paths)
    )
    if {split_of(name) for name in row_splits} <= SPLITS.keys():
        return row_splits, file_splits
    return [SPLIT] * len(row_splits), [SPLIT] * len(file_splits)


def _name_of(split, names, table):
    """Returns the one of the splits' names that is meant."""
    if split.casefold() in names:
        return split.casefold()
    alike = sorted(n for n in names if split_of(n) == split_of(split))
    if len(alike) == 1:
        return alike[0]
    field = "train_split" if split_of(split) == SPLIT else "test_split"
    if alike:
        raise ValueError(
            f"{table.name} has several splits for {split!r}: {some(alike)}; "
            f"name one of them by --config.data.{field}"
        )
    raise ValueError(
        f"{table.name} has no rows of the split {split!r}, but of "
        f"{some(sorted(names))}; take one by --config.data.{field}"
        + ("" if field == "train_split" else ", or hold out some by no name")
    )


def _labels(table, rows, column):
    """Returns labels of the rows, class names, and their origin."""
    others = sorted(table.columns.keys() - {SPLIT_COLUMN})
    if column not in ("", *table.columns):
        raise ValueError(
            f"{table.name} has no column {column!r}; take another by "
            f"{CHOICE}: {some(others, 9)}"
        )
    column = column or LABEL_COLUMN
    if column not in table.columns:
        advice = f"; {CHOICE} takes {some(others, 9)}" if others else ""
        note = f", by {table.name}, which has no column {column!r}{advice}"
        return [-1] * len(rows), (), note
    cells = table.columns[column]
    names = tuple(sorted(set(cells) - {""}))
    note = f", labels of the column {column!r} of {table.name}"
    if len(names) < 2:
        return [-1] * len(rows), (), f"{note}, which names fewer than two"
    index = {name: label for label, name in enumerate(names)} | {"": -1}
    return [index[cells[r]] if r >= 0 else -1 for r in rows], names, note
