"""Rows from the files of a folder."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from absl import logging

from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Encoded, Examples
from byol_tf.data.remote import path_of
from byol_tf.data.rows import Files, Parts
from byol_tf.data.store import Store, decode_into
from byol_tf.data.table_layout import find_split
from byol_tf.lines import plural, printable


def load_folder(
    directory: str | os.PathLike,
    split: str,
    decoder: Decoder,
    store: Store,
    layout: str = "auto",
    label_column: str = "",
) -> Examples:
    """Loads the files of a split below a folder, sorted by path.

    Logs one line about it, see `find_split`. Rows of a known shape are decoded
    here, once; unreadable or deleted files are skipped. Other rows stay
    encoded, and are decoded when a batch needs them.

    Args:
        directory: the folder, or a CSV file of labels.
        split: name of the split.
        decoder: decoder of the files.
        store: where decoded rows are stored.
        layout, label_column: see `find_split`.

    Raises:
        ValueError: if there is no such folder or split, or it has no files.
    """
    file_kind = decoder.extensions, decoder.name
    folder_layout = find_split(
        directory, split, *file_kind, layout, label_column
    )
    logging.log(
        logging.WARNING if folder_layout.doubtful else logging.INFO,
        "%s",
        folder_layout.line(),
    )
    folder = folder_layout.root if folder_layout.table else path_of(directory)
    folder = folder.resolve() if isinstance(folder, pathlib.Path) else folder
    name = printable(folder.name) or plural(decoder.name)
    examples = _read(
        *(folder_layout.root, folder_layout.paths, folder_layout.labels),
        decoder,
        store,
        name,
    )
    if label_column:  # other labels are other data, with separate results
        name = f"{name} ({printable(label_column)})"
    return dataclasses.replace(
        examples,
        class_names=folder_layout.class_names,
        name=name,
        taken=folder_layout.about(),
    )


def load_listed(
    root: pathlib.Path,
    paths: Sequence[str],
    decoder: Decoder,
    store: Store,
    name: str,
) -> Examples:
    """Loads the files of a list, in its order, as `load_folder` does.

    Args:
        root: folder that the paths are relative to.
        paths: paths of the files.
        decoder: decoder of the files.
        store: where decoded rows are stored.
        name: name of the dataset.

    Raises:
        ValueError: if the list is empty.
    """
    if not paths:
        raise ValueError(f"the annotations of {name} list no {decoder.name}")
    return _read(root, paths, [-1] * len(paths), decoder, store, name)


def _read(root, paths, labels, decoder, store, name):
    """Returns examples of files, encoded if shapes differ."""
    files = Files(root, paths)
    if decoder.of_files is not None:
        decoder = decoder.of_files(files)
    if decoder.cut is not None and isinstance(root, pathlib.Path):
        files, owners = cut_files(files, decoder)
        paths, labels = ([each[i] for i in owners] for each in (paths, labels))
    if decoder.shape is None:
        rows, skipped = Encoded(files), []
        labels, decode = np.array(labels, np.int32), decoder.decode
    else:
        rows, labels, skipped = _decoded(files, labels, decoder, store, name)
        decode = None
    skipped_paths = {path for path, _ in skipped}
    return Examples(
        *(rows, labels, (), name, tuple(skipped)),
        paths=tuple(path for path in paths if path not in skipped_paths),
        folder=str(root),
        decode=decode,
        spec=decoder.spec,
    )


def cut_files(files: Files, decoder: Decoder) -> tuple[Files, list[int]]:
    """Returns parts of files as rows, and the file's position for each.

    Logs their number in one line.
    """
    with ThreadPoolExecutor() as pool:
        cuts = list(pool.map(decoder.cut, files))
    owners = [i for i, parts in enumerate(cuts) for _ in parts]
    logging.info(
        "%d %s were cut into %d rows.",
        *(len(files), plural(decoder.name), len(owners)),
    )
    items = [item for parts in cuts for item in parts]
    return Parts(files.root, [files.paths[i] for i in owners], items), owners


def _decoded(files, labels, decoder, store, name):
    root, paths = files.root, files.paths

    key = [
        (path, label, *rest)
        for (path, *rest), label in zip(files.identity(), labels, strict=True)
    ]

    def write(array):
        return decode_into(
            array,
            zip(paths, range(len(paths)), labels, strict=True),
            lambda number: decoder.decode(files[number]),
            description=name,
            unit=decoder.name,
        )

    rows, labels, skipped = store.fill(
        len(paths),
        decoder.shape,
        write,
        name=name,
        key=(decoder.key, key),
        dtype=decoder.dtype,
    )
    if skipped:
        logging.warning(
            "Skipped %d of %d %s in %s, which could not be read; the "
            "first: %s: %s.",
            *(len(skipped), len(paths), plural(decoder.name)),
            *map(printable, (root, *skipped[0])),
        )
    return rows, labels, skipped
