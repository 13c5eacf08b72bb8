"""Writes embeddings in parts, so that an interruption costs little."""

import os
import pathlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping

from byol_tf.files import loading, whole_file
from byol_tf.search.table import (
    OK,
    ROWS,
    Row,
    arrow,
    open_table,
    schema,
    to_arrow,
)

_STAT = ["path", "size", "modified"]
Files = dict[str, tuple[int, int]]  # (size, modified) by path


def parts_folder(target: str | os.PathLike) -> pathlib.Path:
    """Returns the folder for parts of an unfinished file."""
    target = pathlib.Path(target)
    return target.with_name(target.name + ".parts")


def part_paths(target: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the finished parts, in the order they were written."""
    return sorted(parts_folder(target).glob("part-*.parquet"))


class PartWriter:
    """Collects rows, and writes them in parts.

    Leaving its `with` block writes the rest, even after an exception.

    Args:
        target: file that the parts will become.
        features: length of a representation.
        about: metadata.
        rows: largest number of rows of a part.
        seconds: seconds after which a part is written, however small.
    """

    def __init__(
        self,
        target: str | os.PathLike,
        features: int,
        about: Mapping,
        rows: int = ROWS,
        seconds: float = 60.0,
    ):
        self._target, self._features, self._about = target, features, about
        self._rows, self._seconds = rows, seconds
        self._waiting: list[Row] = []
        self._since = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._write()

    def add(self, row: Row) -> None:
        """Adds a row; writes a part if it is full or due."""
        self._waiting.append(row)
        late = time.monotonic() - self._since > self._seconds
        if late or len(self._waiting) >= self._rows:
            self._write()

    @property
    def waiting(self) -> int:
        """Number of rows not yet written."""
        return len(self._waiting)

    def _write(self):
        if self._waiting:
            _, pq = arrow()
            last = part_paths(self._target)[-1:]
            number = int(last[0].stem.split("-")[1]) + 1 if last else 0
            name = f"part-{number:08}.parquet"
            table = to_arrow(self._waiting, self._features, self._about)
            with whole_file(parts_folder(self._target) / name) as temporary:
                pq.write_table(table, temporary, use_dictionary=False)
        self._waiting = []
        self._since = time.monotonic()


def sources(target: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the finished file, if it exists, and the parts after it."""
    target = pathlib.Path(target)
    return [target] * target.is_file() + part_paths(target)


def check_origin(target: str | os.PathLike, about: Mapping) -> None:
    """Raises a ValueError if existing files have another `origin` or column."""
    origin = _origin(about)
    for path in sources(target):
        existing = _origin(open_table(path)[1])
        different = [key for key in origin if existing.get(key) != origin[key]]
        if different:
            key = different[0]
            raise ValueError(
                f"{path} was made with another {key} ({existing.get(key)}, now "
                f"{origin[key]}); choose another --out, or remove {target} "
                f"and {parts_folder(target)}"
            )


def _origin(about):
    return {**about["origin"], "column": about.get("column")}


def known_files(target: str | os.PathLike) -> Files:
    """Returns the files that have a row, with their size and time then."""
    return {
        name: tuple(stat)
        for path in sources(target)
        for batch in _batches(path, _STAT)
        for name, *stat in _files_of(batch)
    }


def _files_of(batch):
    """Yields path, size and time of each row."""
    return zip(*(batch[name].to_pylist() for name in _STAT), strict=True)


def join(
    target: str | os.PathLike, files: Files, features: int, about: Mapping
) -> tuple[int, list[tuple[str, str]]]:
    """Joins the finished file and its parts in one file, and removes the parts.

    Args:
        target: the file.
        files: files to keep a row of; other rows are dropped.
        features: length of a representation.
        about: metadata.

    Returns:
        The number of images with a representation, and `(path, reason)` of the
        others.

    Raises:
        ValueError: if a file has no row, or none has a representation.
    """
    _, pq = arrow()
    missing, unreadable = dict(files), []
    columns = schema(features, about)
    with whole_file(target) as temporary:
        with pq.ParquetWriter(temporary, columns, use_dictionary=False) as file:
            for table in _in_groups(_current(target, missing, unreadable)):
                # In one chunk, so that the file does not depend on the parts.
                table = table.combine_chunks().cast(columns)
                file.write_table(table, row_group_size=ROWS)
        _check_complete(target, files, missing, unreadable)
    shutil.rmtree(parts_folder(target), ignore_errors=True)
    return len(files) - len(unreadable), unreadable


def _check_complete(target, files, missing, unreadable):
    if missing:
        raise ValueError(
            f"{len(missing)} files have no row in {target}, for instance "
            f"{next(iter(missing))}: was it written twice at the same time? "
            "Run the same command again"
        )
    if len(unreadable) == len(files):
        shutil.rmtree(parts_folder(target), ignore_errors=True)
        path, reason = unreadable[0]
        raise ValueError(
            f"none of the {len(files)} files can be read; the first, {path}: "
            f"{reason}"
        )


def _current(target, missing, unreadable) -> Iterator:
    """Yields tables with the first current row of each file."""
    pa, _ = arrow()
    for path in sources(target):
        for batch in _batches(path):
            keep = []
            for row, (name, *stat) in enumerate(_files_of(batch)):
                if missing.get(name) == tuple(stat):
                    del missing[name]
                    keep.append(row)
            table = batch.take(pa.array(keep, pa.int64()))  # none has no type
            statuses = table["status"].to_pylist()
            rows = zip(table["path"].to_pylist(), statuses, strict=True)
            unreadable += [
                (name, status) for name, status in rows if status != OK
            ]
            yield table


def _in_groups(tables: Iterable) -> Iterator:
    """Yields the same rows in tables of `ROWS` each, except for the last."""
    pa, _ = arrow()
    rest = []
    for table in tables:
        rest.append(table.replace_schema_metadata())
        while sum(map(len, rest)) >= ROWS:
            joined = pa.concat_tables(rest)
            yield joined.slice(0, ROWS)
            rest = [joined.slice(ROWS)]
    if sum(map(len, rest)):
        yield pa.concat_tables(rest)


def _batches(path, columns=None):
    pa, _ = arrow()
    file, _ = open_table(path)
    with loading(path):
        for batch in file.iter_batches(ROWS, columns=columns):
            yield pa.Table.from_batches([batch])
