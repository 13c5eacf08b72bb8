"""Chooses examples of a folder that are worth labelling."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from byol_tf.data.items import items_of
from byol_tf.data.label_table import read_label_table
from byol_tf.data.recordings.cutting import part_of
from byol_tf.data.table_layout import without_splits
from byol_tf.files import write_csv
from byol_tf.lines import some
from byol_tf.modalities.registry import load_named
from byol_tf.reports.sheet import SIDE, Picture, contact_sheet
from byol_tf.search.select import select_rows
from byol_tf.search.table import Embeddings

NUM_IMAGES, COLUMNS = 60, 10  # images on the contact sheet


class SelectionResult(NamedTuple):
    """The written files.

    Attributes:
        path: CSV file with a row per chosen example: rank (from 1), path.
        picture: contact sheet of the first ones.
        labelled: number of examples that already have a label.
    """

    path: pathlib.Path
    picture: pathlib.Path
    labelled: int


def select(
    config,
    embeddings: str | os.PathLike,
    out: str | os.PathLike,
    *,
    count: int,
    labels: str | os.PathLike | None = None,
) -> SelectionResult:
    """Chooses examples of an embedded folder, see `search.select`.

    Args:
        config: see `configs/embed.py`.
        embeddings: the Parquet file.
        out: the CSV file; the picture is written beside it.
        count: number of examples to choose.
        labels: CSV file with the paths of labelled examples; rows whose other
            columns are all empty do not count. None: none.

    Raises:
        ValueError: if a file is invalid. One line.
    """
    table = Embeddings(embeddings)
    labelled = _labelled(table, labels)
    chosen_rows = select_rows(table, count, labelled, config.map.seed)
    paths = [table.path_of(row) for row in chosen_rows]
    write_csv(out, [("rank", "path"), *enumerate(paths, start=1)])
    picture = pathlib.Path(out).with_suffix(".png")
    _draw(config, table, paths, picture)
    return SelectionResult(pathlib.Path(out), picture, len(labelled))


def _labelled(table, labels):
    """Returns the indices of labelled rows."""
    if labels is None:
        return np.zeros(0, np.int64)
    label_table = without_splits(read_label_table(labels))
    has_label = np.zeros(len(label_table) + 1, bool)  # the last is of row -1
    for cells in label_table.columns.values():
        has_label[:-1] |= np.array(cells, object) != ""
    # A file that was cut may be labelled as a whole, as in training.
    paths = table.paths.to_pylist()
    files = [part_of(path)[0] for path in paths]
    folder = pathlib.Path(table.about["origin"]["folder"]).name
    rows = np.full(len(paths), -1)
    for names in (paths, files, [f"{folder}/{file}" for file in files]):
        rows = np.where(rows < 0, label_table.rows_of(names), rows)
    if rows.max() < 0:
        raise ValueError(
            f"no row of {labels} is of an embedded file: its paths are like "
            f"{some(label_table.paths)}, theirs like {some(paths)}"
        )
    return np.flatnonzero(has_label[rows])


def _draw(config, table, paths, target):
    modality = load_named(table.about["modality"], config.modality)
    folder, column = table.about["origin"]["folder"], table.about.get("column")
    items = items_of(folder, modality.name, column)
    pictures = [
        Picture(modality.thumbnail(items.read(path), SIDE), path, f"{rank}")
        for rank, path in enumerate(paths[:NUM_IMAGES], start=1)
    ]
    rows = [pictures[i : i + COLUMNS] for i in range(0, len(pictures), COLUMNS)]
    contact_sheet(
        rows,
        target,
        title=f"What to label next: {len(pictures)} of {len(paths)}",
        headings=[""] * len(rows),
    )
