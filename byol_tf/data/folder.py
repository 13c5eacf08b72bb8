"""Images in the files of a folder."""

import os
import pathlib
from collections import Counter

from absl import logging

from byol_tf.data.examples import Examples
from byol_tf.data.store import Store, decode_into
from byol_tf.lines import as_text
from byol_tf.modalities.image.decode import (
    EXTENSIONS,
    MAX_PIXELS,
    check_channels,
    decode_square,
)

SPLIT = "train"  # what a folder without sub-folders for splits holds
GONE = (-1, -1)  # in place of size and time


def load_folder(
    directory: str | os.PathLike,
    split: str,
    image_size: int | None,
    channels: int | None,
    store: Store,
    max_pixels: int = MAX_PIXELS,
) -> Examples:
    """Decodes all images below a folder, in the order of their paths.

    A sub-folder with the name of the split holds the split; without one, all
    is "train". If every image lies in one of at least two sub-folders of the
    first level, their names are the labels, else there are none. Hidden files
    and folders are left out. What is there but cannot be read, or is gone
    when its turn comes, is skipped.

    Args:
        directory: the folder.
        split: name of the split.
        image_size: pixels of a side, see `sources.load`.
        channels: 1 or 3; None for 3.
        store: where the pixels go.
        max_pixels: larger images are not decoded but skipped.

    Raises:
        ValueError: if there is no such folder or split, if no image is in it,
            or if `image_size` is missing.
    """
    check_channels(channels)
    channels = channels or 3
    root = _split_folder(directory, split)
    if image_size is None:
        raise ValueError(
            f"the images of a folder need `image_size`, the pixels of a side "
            f"that all are brought to. Received: image_size=None for {root}"
        )
    name = pathlib.Path(directory).resolve().name or "images"
    paths = find_images(root)
    labels, class_names = labels_of(paths, _known_classes(root, directory))

    def prepare(path):
        return decode_square(root / path, image_size, channels, max_pixels)

    def write(array):
        items = zip(paths, paths, labels, strict=True)
        return decode_into(array, items, prepare, description=name)

    pixels, labels, skipped = store.fill(
        len(paths),
        (image_size, image_size, channels),
        write,
        name=name,
        key=_key(root, paths, labels, max_pixels),
    )
    if skipped:
        logging.warning(
            "Skipped %d of %d images in %s, which could not be read; the "
            "first: %s: %s.",
            *(len(skipped), len(paths), root, *map(as_text, skipped[0])),
        )
    unread = {path for path, _ in skipped}
    kept = tuple(path for path in paths if path not in unread)
    return Examples(
        pixels, labels, class_names, name, tuple(skipped), kept, str(root)
    )


def find_images(root: pathlib.Path) -> list[str]:
    """Relative paths of the images below a folder, sorted.

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
            if extension in EXTENSIONS:
                path = pathlib.Path(folder, file).relative_to(root)
                paths.append(path.as_posix())
            else:
                others[extension or "no extension"] += 1
    if others:
        logging.info(
            "Left out %d files in %s that are not images: %s.",
            *(others.total(), root),
            ", ".join(f"{n} {ext}" for ext, n in others.most_common(5)),
        )
    if not paths:
        raise ValueError(
            f"no image in {str(root)!r} (looked for {', '.join(EXTENSIONS)} "
            f"in it and below; other files: {others.total()})"
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


def _known_classes(root, directory):
    # A test split that lacks a class must count like the training split.
    train = pathlib.Path(directory) / SPLIT
    if root == train or root == pathlib.Path(directory) or not train.is_dir():
        return ()
    return labels_of(find_images(train))[1]


def _warn_of_folder(error):
    logging.warning(
        "Left out the folder %s: %s.",
        *(as_text(str(error.filename)), error.strerror),
    )


def _key(root, paths, labels, max_pixels):
    return max_pixels, [
        (path, label, *size_and_time(root / path))
        for path, label in zip(paths, labels, strict=True)
    ]
