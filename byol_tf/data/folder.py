"""Rows in the files of a folder."""

import os
import pathlib
from collections import Counter
from collections.abc import Collection

import numpy as np
from absl import logging

from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Encoded, Examples
from byol_tf.data.rows import Files
from byol_tf.data.store import Store, decode_into
from byol_tf.lines import as_text

SPLIT = "train"  # what a folder without sub-folders for splits holds
GONE = (-1, -1)  # in place of size and time


def load_folder(
    directory: str | os.PathLike, split: str, decoder: Decoder, store: Store
) -> Examples:
    """Takes all files below a folder, in the order of their paths.

    A sub-folder with the name of the split holds the split; without one, all
    is "train". If every file lies in one of at least two sub-folders of the
    first level, their names are the labels, else there are none. Hidden files
    and folders are left out.

    Rows whose shape is known are decoded here, once, and files that cannot be
    read, or are gone when their turn comes, are skipped. Other rows stay
    encoded, and are decoded when a batch needs them.

    Args:
        directory: the folder.
        split: name of the split.
        decoder: of the files.
        store: where decoded rows go.

    Raises:
        ValueError: if there is no such folder or split, or no file is in it.
    """
    root = _split_folder(directory, split)
    name = pathlib.Path(directory).resolve().name or f"{decoder.name}s"
    paths = find_files(root, decoder.extensions, decoder.name)
    known = _known_classes(root, directory, decoder)
    labels, class_names = labels_of(paths, known)
    if decoder.shape is None:
        rows, skipped = Encoded(Files(root, paths)), []
        labels, decode = np.array(labels, np.int32), decoder.decode
    else:
        rows, labels, skipped = _decoded(
            root, paths, labels, decoder, store, name
        )
        decode = None
    unread = {path for path, _ in skipped}
    return Examples(
        *(rows, labels, class_names, name, tuple(skipped)),
        paths=tuple(path for path in paths if path not in unread),
        folder=str(root),
        decode=decode,
        spec=decoder.spec,
    )


def _decoded(root, paths, labels, decoder, store, name):
    def write(array):
        return decode_into(
            array,
            zip(paths, paths, labels, strict=True),
            lambda path: decoder.decode(root / path),
            description=name,
            unit=decoder.name,
        )

    rows, labels, skipped = store.fill(
        len(paths),
        decoder.shape,
        write,
        name=name,
        key=_key(root, paths, labels, decoder.key),
        dtype=decoder.dtype,
    )
    if skipped:
        logging.warning(
            "Skipped %d of %d %ss in %s, which could not be read; the "
            "first: %s: %s.",
            *(len(skipped), len(paths), decoder.name, root),
            *map(as_text, skipped[0]),
        )
    return rows, labels, skipped


def find_files(
    root: pathlib.Path, extensions: Collection[str], name: str
) -> list[str]:
    """Relative paths of the files of one kind below a folder, sorted.

    Args:
        root: the folder.
        extensions: of the files, in lower case, with the dot.
        name: of such a file, for messages.

    Raises:
        ValueError: if there is none.
    """
    paths, others, seen = [], Counter(), set()
    walk = os.walk(root, followlinks=True, onerror=_warn_of_folder)
    for folder, subfolders, files in walk:
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder above
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(s for s in subfolders if s[0] != ".")
        for file in files:
            extension = os.path.splitext(file)[1].lower()
            if file[0] == ".":
                continue
            if extension in extensions:
                path = pathlib.Path(folder, file).relative_to(root)
                paths.append(path.as_posix())
            else:
                others[extension or "no extension"] += 1
    if others:
        logging.info(
            "Left out %d files in %s that are not %ss: %s.",
            *(others.total(), root, name),
            ", ".join(f"{n} {ext}" for ext, n in others.most_common(5)),
        )
    if not paths:
        raise ValueError(
            f"no {name} in {str(root)!r} (looked for "
            f"{', '.join(extensions)} in it and below; other files: "
            f"{others.total()})"
        )
    return sorted(paths)


def labels_of(
    paths: list[str], known: tuple[str, ...] = ()
) -> tuple[list[int], tuple[str, ...]]:
    """Labels by sub-folder of the first level, and the class names.

    Args:
        paths: of the images.
        known: classes that come first, whether or not they have images.

    Returns:
        A label for each path, and the sorted names; all -1 and () if an image
        lies outside of sub-folders or if there is only one class.
    """
    tops = [as_text(p.split("/")[0]) if "/" in p else None for p in paths]
    if None in tops or len({*tops, *known}) < 2:
        return [-1] * len(paths), ()
    names = [*known, *sorted(set(tops) - set(known))]
    index = {name: label for label, name in enumerate(names)}
    return [index[top] for top in tops], tuple(names)


def size_and_time(path: str | os.PathLike) -> tuple[int, int]:
    """Bytes of a file and time of its last change in ns, or `GONE`."""
    try:
        found = os.stat(path)
    except OSError:  # a link to nowhere: decoding it tells why
        return GONE
    return found.st_size, found.st_mtime_ns


def _split_folder(directory, split):
    if not directory:
        raise ValueError("a folder of images must be named, but none is")
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(f"there is no folder {str(directory)!r}")
    if (directory / split).is_dir():
        return directory / split
    if split == SPLIT:
        return directory
    raise ValueError(
        f"{str(directory)!r} has no sub-folder {split!r} for that split. "
        f"Make one, or leave the name of the test split empty to hold out "
        "some of the training images"
    )


def _known_classes(root, directory, decoder):
    # A test split that lacks a class must count like the training split.
    train = pathlib.Path(directory) / SPLIT
    if root == train or root == pathlib.Path(directory) or not train.is_dir():
        return ()
    return labels_of(find_files(train, decoder.extensions, decoder.name))[1]


def _warn_of_folder(error):
    logging.warning(
        "Left out the folder %s: %s.",
        *(as_text(str(error.filename)), error.strerror),
    )


def _key(root, paths, labels, key):
    return key, [
        (path, label, *size_and_time(root / path))
        for path, label in zip(paths, labels, strict=True)
    ]
