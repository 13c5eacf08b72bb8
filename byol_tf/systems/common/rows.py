"""Reads rows of CSV files with named columns, and reports what is wrong."""

import pathlib
from collections import Counter
from collections.abc import Collection, Sequence

from absl import logging

from byol_tf.data.cells import read_cells


def read_rows(
    path: pathlib.Path, columns: Sequence[str]
) -> list[dict[str, str]]:
    """Returns the rows that have a value in each of the columns.

    Skips the others, and logs their number.

    Args:
        path: CSV file in UTF-8 with a header line.
        columns: required columns; others are read as well.

    Raises:
        ValueError: if the file is not UTF-8, a row has too many cells, a column
            is missing, or no row is left.
    """
    path = pathlib.Path(path)
    _check_encoding(path)
    names = read_cells(path).columns
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(
            f"{path} has no column {missing[0]!r}; it has "
            f"{', '.join(map(repr, names)) or 'none'}. Name the first line "
            f"{','.join(columns)}"
        )
    cells = [
        [c.decode() for c in row] for _, row in read_cells(path, names).rows
    ]
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    complete = [row for row in rows if all(row[name] for name in columns)]
    if not complete:
        raise ValueError(f"{path} has no row with {' and '.join(columns)}")
    if len(complete) < len(rows):
        logging.warning(
            "%s: %d of %d rows lack %s and are left out",
            *(path, len(rows) - len(complete), len(rows), " or ".join(columns)),
        )
    return complete


def read_labelled(path: pathlib.Path) -> tuple[list[str], list[str]]:
    """Reads texts and labels.

    Raises:
        ValueError: as `read_rows`, or if all rows have the same label.
    """
    rows = read_rows(path, ("text", "label"))
    counts = Counter(row["label"] for row in rows)
    if len(counts) < 2:
        raise ValueError(
            f"{path}: all {len(rows)} rows have the label "
            f"{next(iter(counts))!r}; at least two labels are needed"
        )
    return [row["text"] for row in rows], [row["label"] for row in rows]


def check_known(
    path: pathlib.Path,
    labels: Sequence[str],
    learned: Collection[str],
    name: str = "label",
) -> None:
    """Checks that the labels of a file were learned; logs those that were not.

    Args:
        path: the file.
        labels: its labels.
        learned: the labels that were learned.
        name: word for a label, for messages.

    Raises:
        ValueError: if none was learned.
    """
    distinct = set(labels)
    if not (unknown := sorted(distinct - set(learned))):
        return
    description = f"of {len(distinct)} {name}s, such as {unknown[0]!r}"
    if len(unknown) == len(distinct):
        raise ValueError(
            f"{path}: none {description}, is one that was learned, such as "
            f"{min(learned)!r}; take files that belong together"
        )
    logging.warning(
        "%s: %d %s, not learned: their rows count as wrong",
        *(path, len(unknown), description),
    )


def _check_encoding(path):
    raw = path.read_bytes()
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: not UTF-8 text; save the table as UTF-8"
        ) from error
