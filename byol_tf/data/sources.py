"""Where images come from: one function, `load`, for every source."""

import dataclasses

import numpy as np

from byol_tf.data.arrays import conform, load_arrays, load_embedded
from byol_tf.data.bad_images import BadImages
from byol_tf.data.examples import Examples
from byol_tf.data.folder import load_folder
from byol_tf.data.store import Store
from byol_tf.data.tfds import load_tfds
from byol_tf.modalities.image.decode import MAX_PIXELS

SOURCES = ("embedded", "tfds", "folder", "arrays")
LABELS = ("auto", "required", "ignore")


def load(
    source: str,
    name: str = "",
    split: str = "train",
    directory: str = "",
    *,
    image_size: int | None = None,
    channels: int | None = None,
    labels: str = "auto",
    cache: str = "auto",
    cache_bytes: int = 4 * 2**30,
    cache_dir: str | None = None,
    download: bool = False,
    max_pixels: int = MAX_PIXELS,
    bad_images: BadImages | None = None,
) -> Examples:
    """Loads one split of a data set, decoded.

    Args:
        source: "embedded" (Fashion-MNIST, part of the package), "tfds" (any
            image set of TensorFlow Datasets), "folder" (image files) or
            "arrays" (an `.npz` file).
        name: of the set, for "embedded" and "tfds".
        split: "train", "test", or what the source knows besides.
        directory: the `data_dir` of "tfds", "" for its default; the folder;
            or the file of "arrays".
        image_size: pixels of a side: the shorter side is resized to it and
            the centre square cut out. None: as they are; a folder, or a set
            of images of different sizes, needs it.
        channels: 1 or 3; None: as they are, and 3 for a folder.
        labels: "auto" (used where there are any), "required" or "ignore".
        cache: of decoded files, "memory", "disk" (a file in `cache_dir`,
            mapped into memory and used again by later runs), or "auto":
            memory up to `cache_bytes`, else disk.
        cache_bytes: see `cache`.
        cache_dir: see `cache`.
        download: let "tfds" fetch the set if it is not there.
        max_pixels: files of more are not decoded but skipped.
        bad_images: lists what was skipped, and limits it.

    Raises:
        ValueError: in one line, if there is no such source, set, split or
            label, no image that can be read, or too many that cannot.
    """
    _check("source", source, SOURCES)
    _check("labels", labels, LABELS)
    if image_size is not None and image_size < 1:
        raise ValueError(
            f"`image_size` must be at least 1. Received: {image_size}"
        )
    if not split:
        raise ValueError("`split` must not be empty")
    store = Store(cache, cache_bytes, cache_dir)
    if source == "embedded":
        images = conform(load_embedded(name, split), image_size, channels)
    elif source == "arrays":
        images = conform(load_arrays(directory, split), image_size, channels)
    elif source == "folder":
        images = load_folder(
            directory, split, image_size, channels, store, max_pixels
        )
    else:
        images = load_tfds(
            *(name, split, directory, image_size, channels, store),
            download=download,
            max_pixels=max_pixels,
        )
    (bad_images or BadImages()).add(images)
    return _with_labels(images, labels)


def _check(argument, value, allowed):
    if value not in allowed:
        raise ValueError(
            f"`{argument}` must be one of {', '.join(allowed)}. "
            f"Received: {argument}={value!r}"
        )


def _with_labels(images, labels):
    if labels == "required" and not images.labelled:
        raise ValueError(
            f"{images.name} has no labels, but they are required; a folder "
            "has labels if each image is in one of at least two sub-folders "
            "named after the classes"
        )
    if labels == "ignore":
        none = np.full(images.num_examples, -1, np.int32)
        return dataclasses.replace(images, labels=none, class_names=())
    return images
