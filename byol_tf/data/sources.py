"""Loads examples from every source by one function, `load`."""

import dataclasses
import pathlib

import numpy as np
from absl import logging

from byol_tf.checks import check_choice
from byol_tf.data.annotations.find import LISTED, listed_images
from byol_tf.data.arrays import load_arrays, load_embedded
from byol_tf.data.bad_images import BadImages
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples
from byol_tf.data.folder import load_folder, load_listed
from byol_tf.data.layout import LAYOUTS
from byol_tf.data.records import load_tfrecords
from byol_tf.data.store import Store
from byol_tf.data.table_layout import find_split
from byol_tf.data.texts import find_tables, load_cells
from byol_tf.data.tfds import load_tfds
from byol_tf.lines import nfc, printable

__all__ = ["Decoder", "load"]

SOURCES = ("embedded", "tfds", "folder", "arrays", "tfrecord", LISTED)
LABELS = ("auto", "required", "ignore")


def load(
    source: str,
    name: str = "",
    split: str = "train",
    directory: str = "",
    *,
    decoder: Decoder,
    labels: str = "auto",
    layout: str = "auto",
    label_column: str = "",
    features: str = "image,label",
    cache: str = "auto",
    cache_bytes: int = 4 * 2**30,
    cache_dir: str | None = None,
    download: bool = False,
    bad_images: BadImages | None = None,
) -> Examples:
    """Loads one split of a dataset.

    Rows of a known shape are decoded here, once; other files and records stay
    encoded.

    Args:
        source: "embedded" (Fashion-MNIST, part of the package), "tfds"
            (TensorFlow Datasets), "folder" (files), "arrays" (an `.npz` file),
            "tfrecord" (a folder of TFRecord files) or "listed" (files that
            annotations name, see `find_boxes`).
        name: name of the dataset, for "embedded" and "tfds".
        split: "train", "test", or any other of the source.
        directory: the `data_dir` of "tfds", "" for its default; the folder, or
            a CSV file of labels in it; or the file of "arrays".
        decoder: decoder of the rows.
        layout, label_column: for folders, see `find_split`, and for cells of
            tables `load_cells`.
        features: for "tfrecord", see `load_tfrecords`.
        labels: "auto" (use them if there are any), "required" or "ignore".
        cache, cache_bytes, cache_dir: see `Store`.
        download: whether "tfds" may fetch a missing dataset.
        bad_images: lists unreadable rows, now or later, and limits them.

    Raises:
        ValueError: if there is no such source, dataset, split or label, no
            readable row, or too many unreadable ones.
    """
    check_source(source, labels, layout)
    check_split("split", split)
    one_file = source == "folder" and _has_table(directory, decoder)
    in_tables = source == "folder" and _in_tables(directory, decoder)
    of_files = source == "folder" and not (one_file or in_tables)
    if layout != "auto" and not of_files:
        rows = "rows of a table" if source == "folder" else f"source={source}"
        raise ValueError(
            f"layout={layout!r} says how files lie in a folder, but the data "
            f"is {rows}; leave it at auto"
        )
    if of_files:
        _warn_of_column(directory, decoder)
    if label_column and (source != "folder" or one_file):
        raise ValueError(
            f"label_column={label_column!r} is of a folder's labels.csv; leave "
            f"it empty for {decoder.table.file if one_file else source}"
        )
    store = Store(cache, cache_bytes, cache_dir)
    if source == "embedded":
        examples = load_embedded(name, split, decoder)
    elif source == "arrays":
        examples = load_arrays(directory, split, decoder)
    elif source == LISTED:
        root, paths = listed_images(directory, split, decoder.extensions)
        title = printable(pathlib.Path(directory).resolve().name)
        examples = load_listed(root, paths, decoder, store, title)
    elif in_tables:
        examples = load_cells(directory, split, decoder, label_column)
    elif one_file:
        examples = decoder.table(directory, split)
    elif source == "folder":
        examples = load_folder(
            directory, split, decoder, store, layout, label_column
        )
    elif source == "tfrecord":
        examples = load_tfrecords(directory, split, decoder, store, features)
    else:
        examples = load_tfds(
            *(name, split, directory, decoder, store), download=download
        )
    (bad_images or BadImages()).add(examples)
    return _with_labels(examples, labels)


def _warn_of_column(directory, decoder):
    column = decoder.columns and (decoder.columns.text or decoder.columns.pair)
    if column:
        logging.warning(
            "Column %r is not used: %s holds files of texts, and no table.",
            *(column, printable(directory)),
        )


def check_source(source: str, labels: str, layout: str) -> None:
    """Raises a ValueError for an unknown choice."""
    check_choice("source", source, SOURCES)
    check_choice("labels", labels, LABELS)
    check_choice("layout", layout, LAYOUTS)


def check_split(name: str, split: str) -> None:
    """Raises a ValueError that names the argument, if a split is empty."""
    if not split:
        raise ValueError(f"`{name}` must not be empty. Received: {split!r}")


def check_folder(
    directory: str, split: str, decoder: Decoder, labels: str, *layout: str
) -> None:
    """Raises the ValueErrors of `load` before any file is read.

    Args:
        directory, split, decoder, labels: see `load`, with source "folder".
        *layout: `layout` and `label_column`.
    """
    if _in_tables(directory, decoder) or _has_table(directory, decoder):
        return
    file_kind = decoder.extensions, decoder.name
    folder_layout = find_split(directory, split, *file_kind, *layout)
    name = printable(folder_layout.root)
    if folder_layout.table:
        # The note names the table's columns.
        name += f" ({folder_layout.note.strip(', ')})"
    _check_labelled(name, labels, bool(folder_layout.class_names))


def _in_tables(directory, decoder):
    """Returns whether rows are cells of tables, not files."""
    return decoder.columns is not None and bool(find_tables(directory))


def _has_table(directory, decoder):
    """Returns whether the rows are together in one file of a folder."""
    table = decoder.table
    return bool(table) and (pathlib.Path(directory) / table.file).is_file()


def _check_labelled(name, labels, labelled):
    if labels == "required" and not labelled:
        raise ValueError(
            f"{name} has no labels, but they are required; put the "
            "files of a folder into at least two sub-folders, named after "
            "the classes, or name their classes in a labels.csv with the "
            "columns path and label; texts of a table have theirs in its "
            "column label"
        )


def _with_labels(images, labels):
    _check_labelled(images.name, labels, images.labelled)
    if labels == "ignore":
        no_labels = np.full(images.num_examples, -1, np.int32)
        return dataclasses.replace(images, labels=no_labels, class_names=())
    names = tuple(nfc(printable(name)) for name in images.class_names)
    return dataclasses.replace(images, class_names=names)
