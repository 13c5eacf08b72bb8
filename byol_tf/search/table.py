"""Embeddings of images in a Parquet file: schema and reading."""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.checks import require
from byol_tf.evaluation.vectors import unit_rows
from byol_tf.files import is_inside, loading

OK = "ok"  # status of an embedded image
ROWS = 4096  # rows per row group, and per read
_KEY, _FEATURES = b"byol_tf", b"byol_tf_features"  # keys of the metadata


class Row(NamedTuple):
    """An image of a folder.

    Attributes:
        path: path relative to the folder, with slashes.
        representation: float32 `[features]`, or None.
        status: "ok", or why there is no representation.
        size: size of the file in bytes.
        modified: time of the file's last change, in ns.
    """

    path: str
    representation: np.ndarray | None
    status: str
    size: int
    modified: int


def arrow():
    """Imports pyarrow and its Parquet module."""
    return require("pyarrow", "search"), require("pyarrow.parquet", "search")


def schema(features: int, about: Mapping):
    """Returns columns as in `Row`, with metadata as JSON.

    Lists of a fixed size would be more precise, but PyArrow before 26 cannot
    read them if one is null.
    """
    pa, _ = arrow()
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("representation", pa.list_(pa.float32())),
            pa.field("status", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("modified", pa.int64(), nullable=False),
        ],
        metadata={
            _KEY: json.dumps(about, sort_keys=True).encode(),
            _FEATURES: str(features).encode(),
        },
    )


def to_arrow(rows: Sequence[Row], features: int, about: Mapping):
    """Makes a table of rows."""
    pa, _ = arrow()
    columns = zip(*rows, strict=True)
    return pa.table(list(columns), schema=schema(features, about))


def open_table(path: str | os.PathLike):
    """Opens the file and reads its metadata, or raises a ValueError."""
    _, pq = arrow()
    if not pathlib.Path(path).is_file():
        raise ValueError(
            f"there are no embeddings in {path}; make them with "
            "byol_tf embed RUN DIR --out=FILE"
        )
    with loading(path):
        file = pq.ParquetFile(path)
        file_schema = file.schema_arrow
        about = json.loads((file_schema.metadata or {}).get(_KEY, "null"))
    has_origin = isinstance(about, dict) and isinstance(
        about.get("origin"), dict
    )
    if not _has_columns(file_schema) or not has_origin:
        raise ValueError(f"{path} does not hold embeddings of byol_tf embed")
    return file, about


def _has_columns(file_schema):
    features = (file_schema.metadata or {}).get(_FEATURES, b"")
    return features.isdigit() and file_schema.equals(schema(int(features), {}))


class Embeddings:
    """Reads the file of `embed_folder`; rows are those with a representation.

    Raises a ValueError if the Parquet file is missing or damaged.

    Attributes:
        path: path of the file.
        about: its metadata.
        features: length of a representation.
        paths: paths of images with a representation, relative to their folder.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)
        self._file, self.about = open_table(path)
        self.features = int(self._file.schema_arrow.metadata[_FEATURES])
        self.paths = self._paths()

    def __len__(self) -> int:
        return len(self.paths)

    def _paths(self):
        # An Arrow array takes a tenth of the memory of a list.
        pa, _ = arrow()
        compute = require("pyarrow.compute", "search")
        with loading(self.path):
            table = self._file.read(["path", "status"])
        is_ok = compute.equal(table["status"], OK)
        paths = table["path"].filter(is_ok).combine_chunks().cast(pa.string())
        suspects = compute.match_substring_regex(paths, r"^[/\\]|\.\.|^.:")
        for path in paths.filter(suspects).to_pylist():
            if not is_inside(path):
                raise ValueError(
                    f"{self.path} names {path!r}, which is not below its "
                    "folder; make the embeddings again"
                )
        return paths

    def path_of(self, row: int) -> str:
        """Returns the path of an image, relative to its folder."""
        return self.paths[int(row)].as_py()

    def blocks(self, first: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """Reads representations, `ROWS` at a time, scaled to length 1.

        Yields:
            The number of the first row, and float32 `[n, features]`, for blocks
            that do not end before row `first`.
        """
        start = 0
        for group in range(self._file.num_row_groups):
            # The number of rows is known only after reading them.
            with loading(self.path):
                column = self._file.read_row_group(group, ["representation"])
                vectors = column["representation"].drop_null().combine_chunks()
                values = vectors.flatten().to_numpy(zero_copy_only=False)
                values = values.reshape(len(vectors), self.features)
            if len(values) and start + len(values) > first:
                yield start, unit_rows(values)
            start += len(values)

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        """Returns float32 `[n, features]` of some rows, scaled to length 1."""
        indices = np.asarray(indices, np.int64)
        vectors = np.empty((len(indices), self.features), np.float32)
        for start, block in self.blocks():
            in_block = (indices >= start) & (indices < start + len(block))
            vectors[in_block] = block[indices[in_block] - start]
        return vectors
