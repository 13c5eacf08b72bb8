"""Rows from arrays: the embedded dataset and `.npz` files."""

import pathlib
import zipfile
from importlib import resources

import numpy as np
import tensorflow as tf

from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples, Ragged
from byol_tf.lines import plural

EMBEDDED = ("fashion_mnist",)
MOST_CLASSES = 1_000_000  # more are not classes but times, for example


def load_embedded(name: str, split: str, decoder: Decoder) -> Examples:
    """Loads a dataset that is part of the package."""
    if name not in EMBEDDED:
        raise ValueError(
            f"the embedded data set must be one of {', '.join(EMBEDDED)}. "
            f"Received: {name!r}; other sets come from source 'tfds', "
            "'folder' or 'arrays'"
        )
    file = resources.files("byol_tf.data") / "embedded" / f"{name}.npz"
    with resources.as_file(file) as path:
        return load_arrays(path, split, decoder)


def load_arrays(path, split: str, decoder: Decoder) -> Examples:
    """Reads one split of an `.npz` file.

    Rows, of images for instance, are `<split>_images` or `x_<split>`, with
    labels in `<split>_labels` or `y_<split>`; in a file with `images` and
    `labels`, all are training rows. `class_names` is optional.

    Rows are `[N, ...]`, for `decoder.conform`. Rows of varying length are
    concatenated, with `Ragged`'s offsets in `<array>_offsets`. Labels are
    integers `[N]`, -1 for none.

    Raises:
        ValueError: if the file has another form.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(
            f"there is no file {str(path)!r}; name an .npz file by "
            "--config.data.dir=FILE"
        )
    with _open(path) as file:
        key, labels_key = _keys(file, path, split, plural(decoder.name))
        rows = decoder.conform(_read(file, key, path), f"{path}: {key!r}")
        if f"{key}_offsets" in file:
            rows = _ragged(rows, _read(file, f"{key}_offsets", path), path)
        if not len(rows):
            raise ValueError(f"{path}: {key!r} has no rows; add some")
        if labels_key in file:
            labels = _as_labels(_read(file, labels_key, path), rows, path)
        else:
            labels = np.full(len(rows), -1, np.int32)
        names = ()
        if "class_names" in file and (labels >= 0).any():
            names = _as_names(_read(file, "class_names", path), labels, path)
    spec = {decoder.name: tf.TensorSpec(rows.shape[1:], rows.dtype)}
    return Examples(rows, labels, names, path.stem, spec=spec)


def array_splits(path, noun: str) -> list[str]:
    """Returns which of the usual splits an `.npz` file has.

    Args:
        path: path of the file.
        noun: word for a row, such as "image".

    Raises:
        ValueError: if it has none, or is no such file.
    """
    splits, reason = [], None
    with _open(path) as file:
        for split in ("train", "validation", "test"):
            try:
                _keys(file, path, split, plural(noun))
                splits.append(split)
            except ValueError as error:
                reason = reason or error
    if not splits:
        raise reason
    return splits


def _open(path):
    try:
        file = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz file") from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise ValueError(f"{path} is not an .npz file but a single array")
    return file


def _read(file, key, path):
    try:
        return file[key]
    except Exception as error:  # damaged zip members can raise anything
        raise ValueError(f"{path}: cannot read {key!r}: {error}") from error


def _keys(file, path, split, rows):
    pairs = [
        (f"{split}_{rows}", f"{split}_labels"),
        (f"x_{split}", f"y_{split}"),
    ]
    if split == "train":
        pairs.append((rows, "labels"))
    for pair in pairs:
        if pair[0] in file:
            return pair
    raise ValueError(
        f"{path} has no split {split!r}: it needs an array "
        f"{' or '.join(repr(pair[0]) for pair in pairs)}, but has "
        f"{', '.join(sorted(file.files))}; if these are no {rows}, pretrain "
        "with their --modality"
    )


def _ragged(values, offsets, path):
    try:
        return Ragged(values, offsets)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _as_labels(labels, rows, path):
    if labels.shape == (len(rows), 1):
        labels = labels[:, 0]
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: labels must be integers of shape [{len(rows)}], one "
            f"a row. Received: {labels.dtype} of shape {labels.shape}"
        )
    return as_classes(labels, path)


def as_classes(labels: np.ndarray, where: object) -> np.ndarray:
    """Returns integer labels as int32; a ValueError if some are no classes."""
    low, high = labels.min(initial=0), labels.max(initial=0)
    if low < -1 or high >= MOST_CLASSES:
        raise ValueError(
            f"{where}: labels must be numbers of classes from 0 to "
            f"{MOST_CLASSES - 1}, or -1 for none. Received: {low} to {high}"
        )
    return labels.astype(np.int32)


def _as_names(names, labels, path):
    if names.ndim != 1 or len(names) <= labels.max():
        raise ValueError(
            f"{path}: 'class_names' must have a name for each label up to "
            f"{labels.max()}. Received: shape {list(names.shape)}"
        )
    is_bytes = names.dtype.kind == "S"  # bytes, as of HDF5
    return tuple(
        map(str, np.char.decode(names, "utf-8") if is_bytes else names)
    )
