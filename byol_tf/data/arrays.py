"""Images that come as arrays: the embedded set and `.npz` files."""

import pathlib
import zipfile
from importlib import resources

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.modalities.image.decode import (
    check_channels,
    resize_and_centre_crop,
)

EMBEDDED = ("fashion_mnist",)
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's
MOST_CLASSES = 1_000_000  # more are no classes, but say, times or numbers


def load_embedded(name: str, split: str) -> Examples:
    """The images that the package brings along.

    Raises:
        ValueError: if there is no such set or split.
    """
    if name not in EMBEDDED:
        raise ValueError(
            f"the embedded data set must be one of {', '.join(EMBEDDED)}. "
            f"Received: {name!r}; other sets come from source 'tfds', "
            "'folder' or 'arrays'"
        )
    file = resources.files("byol_tf.data") / "embedded" / f"{name}.npz"
    with resources.as_file(file) as path:
        return load_arrays(path, split)


def load_arrays(path, split: str) -> Examples:
    """Reads one split of an `.npz` file.

    The images are the array `<split>_images` or `x_<split>`, with labels in
    `<split>_labels` or `y_<split>`; in a file with `images` and `labels` all
    are training images. `class_names` is optional.

    Images are uint8, or floats in [0, 1], `[N, height, width]` or `[N,
    height, width, channels]`; labels are integers `[N]`, -1 for none.

    Raises:
        ValueError: if the file is not like that.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}; name an .npz file")
    with _open(path) as file:
        images_key, labels_key = _keys(file, path, split)
        images = _as_uint8(_read(file, images_key, path), images_key, path)
        if labels_key in file:
            labels = _as_labels(_read(file, labels_key, path), images, path)
        else:
            labels = np.full(len(images), -1, np.int32)
        names = ()
        if "class_names" in file and (labels >= 0).any():
            names = _as_names(_read(file, "class_names", path), labels, path)
    return Examples(images, labels, names, path.stem)


def conform(
    images: Examples, image_size: int | None, channels: int | None
) -> Examples:
    """Resizes and converts images in memory; None leaves them as they are."""
    check_channels(channels)
    pixels = images.rows
    _, height, width, now = pixels.shape
    if channels not in (None, now):
        pixels = _change_channels(pixels, channels, images.name)
    if image_size is not None and (height, width) != (image_size, image_size):
        pixels = np.stack(
            [resize_and_centre_crop(image, image_size) for image in pixels]
        )
    return Examples(pixels, images.labels, images.class_names, images.name)


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
    except Exception as error:  # damaged zip members raise nearly anything
        raise ValueError(f"{path}: cannot read {key!r}: {error}") from error


def _keys(file, path, split):
    pairs = [
        (f"{split}_images", f"{split}_labels"),
        (f"x_{split}", f"y_{split}"),
    ]
    if split == "train":
        pairs.append(("images", "labels"))
    for pair in pairs:
        if pair[0] in file:
            return pair
    raise ValueError(
        f"{path} has no split {split!r}: it needs an array "
        f"{' or '.join(repr(pair[0]) for pair in pairs)}, but has "
        f"{', '.join(sorted(file.files))}"
    )


def _as_uint8(images, key, path):
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"{path}: {key!r} must be [N, height, width] or [N, height, "
            f"width, channels]. Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"{path}: {key!r} must be uint8, or floats in [0, 1]. Received: "
            f"{images.dtype}"
        )
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(
            f"{path}: {key!r} has floats, which must be in [0, 1]. Received: "
            f"{low:g} to {high:g}; divide by the largest value, or store uint8"
        )
    return np.round(images * 255).astype(np.uint8)


def _as_labels(labels, images, path):
    if labels.shape == (len(images), 1):
        labels = labels[:, 0]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: labels must be integers of shape [{len(images)}], as "
            f"many as images. Received: {labels.dtype} of shape {labels.shape}"
        )
    low, high = labels.min(), labels.max()
    if low < -1 or high >= MOST_CLASSES:
        raise ValueError(
            f"{path}: labels must be -1 (none) or more, as the numbers of "
            f"classes below {MOST_CLASSES}. Received: {low} to {high}"
        )
    return labels.astype(np.int32)


def _as_names(names, labels, path):
    if names.ndim != 1 or len(names) <= labels.max():
        raise ValueError(
            f"{path}: 'class_names' must have a name for each label up to "
            f"{labels.max()}. Received: shape {list(names.shape)}"
        )
    return tuple(map(str, names))


def _change_channels(pixels, channels, name):
    now = pixels.shape[-1]
    if (now, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=-1)
    if (now, channels) == (3, 1):
        luma = pixels @ np.array(LUMA, np.float32)
        return np.round(luma)[..., np.newaxis].astype(np.uint8)
    raise ValueError(
        f"{name} has {now} channels, which cannot become `channels`="
        f"{channels}; leave it at 0 to take them as they are"
    )
