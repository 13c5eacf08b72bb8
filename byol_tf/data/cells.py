"""Reads rows of tables: CSV, TSV, JSON lines, Parquet and plain lines."""

import csv
import json
import pathlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from byol_tf.checks import require
from byol_tf.files import parse_json
from byol_tf.lines import printable, some

LINE = "text"  # the only column of a file of lines
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt")
_SEARCHED_LINES = 1000  # lines of JSON that are searched for columns
_MAX_LETTERS = 2**24  # letters of a cell; Python's own limit is 2**17


class Cells(NamedTuple):
    """Some columns of a table.

    Attributes:
        columns: names of all columns of the table.
        rows: number of each row, from 1 and counting a header, and its
            requested cells: bytes, in UTF-8 unless the file is not; b"" for
            empty cells.
    """

    columns: list[str]
    rows: Iterator[tuple[int, list[bytes]]]


def read_cells(path: pathlib.Path, requested: Sequence[str] = ()) -> Cells:
    """Reads columns of a table, row by row.

    Args:
        path: path of a file with an extension in `TABLES`.
        requested: names of columns; missing ones are empty.

    Raises:
        ValueError: at once or at a row, if it cannot be opened or is no such
            table.
    """
    try:
        return _READERS[path.suffix.lower()](path, requested)
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from None


def check_column(path, columns: Sequence[str], name: str, field: str) -> None:
    """Raises a ValueError, listing the columns, if one is missing."""
    if name not in columns:
        raise ValueError(
            f"{path} has no column {name!r}, but {some(list(columns), 9)}; "
            f"name one by --config.data.{field}="
        )


def _read_csv(path, requested):
    with _open(path) as file:
        first = file.readline()
    invalid = sum(c == "\0" or "\udc80" <= c <= "\udcff" for c in first)
    if 4 * invalid > len(first):
        raise ValueError(f"{path} is no UTF-8 text; save the table as UTF-8")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if delimiter not in first and ";" in first:
        delimiter = ";"
    options = {"delimiter": delimiter, "skipinitialspace": True}
    _, header = next(_lines(path, options), (1, []))
    columns = [printable(cell.strip()) for cell in header]
    if not columns:
        raise ValueError(f"{path} is empty; its first row must name columns")
    return Cells(columns, _csv_rows(path, options, columns, requested))


def _open(path):
    # Bytes that are not UTF-8 are kept, and only affect their row.
    options = {"encoding": "utf-8-sig", "errors": "surrogateescape"}
    return open(path, newline="", **options)


def _lines(path, options):
    """Yields number and cells of each row, 1 for the header."""
    number = 0
    with _open(path) as file:
        try:
            # Otherwise a quote that is not closed would hide many rows.
            for row in _rows(csv.reader(file, strict=True, **options)):
                number += 1
                yield number, row
        except csv.Error as error:
            raise ValueError(
                f"{path}, row {number + 1}: {error}; quotes around a cell must "
                'be closed, and those inside doubled ("")'
            ) from error


def _rows(reader):
    """Yields rows with long cells; other tables keep Python's limit."""
    while True:
        limit = csv.field_size_limit(_MAX_LETTERS)
        try:
            row = next(reader, None)
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        yield row


def _csv_rows(path, options, columns, requested):
    places = [columns.index(n) if n in columns else -1 for n in requested]
    lines = _lines(path, options)
    next(lines)  # the header
    for number, row in lines:
        if len(row) > len(columns):
            raise ValueError(
                f"{path}, row {number} has {len(row)} cells, but there "
                f"are {len(columns)} columns; put texts with commas into "
                "quotation marks"
            )
        if row:
            yield number, [_cell(row, place) for place in places]


def _cell(row, place):
    if not 0 <= place < len(row):
        return b""
    return row[place].strip().encode("utf-8", "surrogateescape")


def _read_json_lines(path, requested):
    with open(path, "rb") as file:
        pairs = (pair for pair in enumerate(file, 1) if pair[1].strip())
        objects = (
            _object(path, *pair) for pair in islice(pairs, _SEARCHED_LINES)
        )
        columns = [*dict.fromkeys(key for record in objects for key in record)]
    return Cells(columns, _json_rows(path, requested))


def _json_rows(path, requested):
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                record = _object(path, number, line)
                yield number, [_bytes(record.get(name)) for name in requested]


def _object(path, number, line):
    try:
        record = parse_json(line)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}, line {number}: {reason}") from error
    if not isinstance(record, dict):
        raise ValueError(
            f"{path}, line {number} must be a JSON object such as "
            '{"text": "...", "label": "..."}'
        )
    return record


def _read_parquet(path, requested):
    parquet = require("pyarrow.parquet", "search")
    try:
        file = parquet.ParquetFile(path)
    except ValueError as error:  # pyarrow's errors are ValueErrors
        raise ValueError(f"{path} is no Parquet file: {error}") from error
    columns = list(file.schema_arrow.names)
    return Cells(columns, _parquet_rows(file, columns, requested))


def _parquet_rows(file, columns, requested):
    present, number = [name for name in requested if name in columns], 0
    for batch in file.iter_batches(columns=present):
        values = batch.to_pydict()
        for row in range(batch.num_rows):
            number += 1
            cells = [values[n][row] if n in values else None for n in requested]
            yield number, [_bytes(cell) for cell in cells]


def _read_lines(path, requested):
    return Cells([LINE], _line_rows(path, requested))


def _line_rows(path, requested):
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(b"\xef\xbb\xbf").strip()
            yield number, [line if name == LINE else b"" for name in requested]


def _bytes(value):
    if value is None or value != value:  # NaN, as pandas writes gaps
        return b""
    if isinstance(value, bytes):
        return value.strip()
    is_json = isinstance(value, bool | int | float | list | dict)
    text = json.dumps(value, default=str) if is_json else str(value)
    return text.strip().encode("utf-8", "surrogatepass")


_READERS = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
    ".txt": _read_lines,
}
