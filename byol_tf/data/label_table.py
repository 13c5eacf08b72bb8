"""Labels of files from a CSV file."""

import csv
import dataclasses
import os
import pathlib
import posixpath
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from absl import logging

from byol_tf.files import is_inside
from byol_tf.lines import as_text, nfc, some

PATH = "path"


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """A row of named values for each file.

    Attributes:
        paths: paths of the files, relative to their folder, with `/`.
        columns: values as written, one per path, by column name; "" for an
            empty cell.
        name: name of the file, for messages.
    """

    paths: Sequence[str]
    columns: Mapping[str, Sequence[str]]
    name: str = "the label table"

    def __post_init__(self):
        columns = {nfc(key): cells for key, cells in self.columns.items()}
        object.__setattr__(self, "columns", columns)
        for column, values in self.columns.items():
            if len(values) != len(self.paths):
                raise ValueError(
                    "every column must have as many values as there are "
                    f"paths. Received: {len(values)} in {column!r} for "
                    f"{len(self.paths)} paths"
                )

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, index: np.ndarray) -> "LabelTable":
        """Selects the rows at these positions, in the given order."""

        def select(values):
            return tuple(np.array(values, object)[index])

        columns = {key: select(values) for key, values in self.columns.items()}
        return dataclasses.replace(
            self, paths=select(self.paths), columns=columns
        )

    def with_columns(self, names: Collection[str]) -> "LabelTable":
        """Selects these columns, in the table's order."""
        selected = {k: cells for k, cells in self.columns.items() if k in names}
        return dataclasses.replace(self, columns=selected)

    def rows_of(self, paths: Sequence[str]) -> list[int]:
        """Returns the row of each path, compared as in `aligned`, or -1."""
        row_of = self._row_of()
        return [row_of.get(_normal_path(path), -1) for path in paths]

    def _row_of(self):
        return {_normal_path(path): row for row, path in enumerate(self.paths)}

    def aligned(
        self, paths: Sequence[str], folders: Sequence[pathlib.Path] = ()
    ) -> "LabelTable":
        """Returns one row per file, in the order of the files.

        Leaves out rows without an example, with a warning if there is no such
        file. Paths are compared in Unicode's form NFC.

        Args:
            paths: paths of the files, as in `Examples.paths`.
            folders: folder of the files, whose name may precede the paths in
                the table; then others with files of the table.

        Raises:
            ValueError: if a file has no row. A row may be empty, for a file
                without labels.
        """
        if not len(paths):
            raise ValueError(
                f"{self.name} names files, but these examples do not come "
                "from a folder; use data.source='folder'"
            )
        row_of = self._row_of()
        prefix = f"{_normal_path(folders[0].name)}/" if folders else ""
        keys = [_normal_path(path) for path in paths]
        keys = [p if p in row_of else prefix + p for p in keys]
        missing = [path for path in keys if path not in row_of]
        if len(missing) == len(keys):
            raise ValueError(
                f"no row of {self.name} belongs to a file: its paths are "
                f"like {some(self.paths)}, those of the files like "
                f"{some(keys)}; paths must be relative to the files' folder"
            )
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(keys)} files have no row in "
                f"{self.name}: {some(missing)}; add them, with empty cells "
                "if nothing is known, or remove the files"
            )
        key_set = set(keys)
        unused = [
            path
            for path in self.paths
            if _normal_path(path) not in key_set
            and not any(os.path.exists(folder / path) for folder in folders)
        ]
        if unused:
            logging.warning(
                "%d of %d rows of %s have no file: %s.",
                *(len(unused), len(self), self.name, some(unused)),
            )
        return self.subset(np.array([row_of[path] for path in keys]))


def read_label_table(path: str | os.PathLike) -> LabelTable:
    """Reads a CSV file of labels: UTF-8, with a header, `,` or `;` between.

    The column `path` names the files; without it the first column does. Blank
    lines are skipped, and spaces around values are removed.

    Raises:
        ValueError: if there is no such file, or a line is invalid; names the
            line.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file of labels {str(path)!r}")
    lines = _lines(path)
    if not lines:
        raise ValueError(f"{path} is empty; it needs a header and rows")
    key, header = _header(path, lines[0][1])
    rows = {}
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} values under "
                f"{len(header)} headings; a value with a comma needs quotes"
            )
        name = _normal_path(cells[key])
        if not cells[key]:
            raise ValueError(f"{path}, line {line}: the path is empty")
        if not is_inside(name):
            raise ValueError(
                f"{path}, line {line}: {name!r} leads out of the files' "
                "folder; write it relative to that folder"
            )
        if name in rows:
            raise ValueError(
                f"{path}, line {line}: {name!r} is already in line "
                f"{rows[name][0]}; a file has one row"
                + ("" if PATH in header else f"; {_no_path(header)}")
            )
        rows[name] = line, cells
    if not rows:
        raise ValueError(f"{path} has a header, but no rows")
    columns = {
        heading: tuple(cells[i] for _, cells in rows.values())
        for i, heading in enumerate(header)
        if i != key
    }
    return LabelTable(tuple(rows), columns, path.name)


def _lines(path):
    """Yields `(line number, cells)` of lines that are not blank."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            # As spreadsheets write it where numbers have commas.
            delimiter = ";" if ";" in first and "," not in first else ","
            options = {"strict": True, "skipinitialspace": True}
            reader = csv.reader(file, delimiter=delimiter, **options)
            return [
                (reader.line_num, [nfc(cell.strip()) for cell in cells])
                for cells in reader
                if any(cell.strip() for cell in cells)
            ]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason}); save it as CSV UTF-8"
        ) from error
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _header(path, header):
    """Returns the position of the column of paths, and all headings."""
    if len(header) < 2:
        raise ValueError(
            f"{path} needs a column of paths and one of labels at least, "
            f"separated by commas. Received: the header {header[0]!r}"
        )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if "" in header or repeated:
        raise ValueError(
            f"{path}: every column needs a heading of its own. Received: "
            f"{', '.join(repr(name) for name in header)}"
        )
    return (header.index(PATH) if PATH in header else 0), header


def _no_path(header):
    return (
        f"there is no column {PATH!r}, so the first, {header[0]!r}, names "
        "the files"
    )


def _normal_path(path):
    # As written on Windows, or with a leading "./".
    return posixpath.normpath(nfc(as_text(path)).replace("\\", "/"))
