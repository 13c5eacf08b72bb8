"""How images are read from files, arrays and data sets."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from byol_tf.data import sources
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples, Unreadable
from byol_tf.modalities.image.decode import (
    EXTENSIONS,
    MAX_PIXELS,
    check_channels,
    decode_image,
    decode_square,
    resize_and_centre_crop,
)

LUMA = np.float32((0.299, 0.587, 0.114))  # ITU-R 601, as Pillow's
NAME = "image"  # of a row


def load_images(
    source: str,
    name: str = "",
    split: str = "train",
    directory: str = "",
    *,
    image_size: int | None = None,
    channels: int | None = None,
    max_pixels: int = MAX_PIXELS,
    **options,
) -> Examples:
    """Loads one split of a set of images, decoded to one size.

    Args:
        source: as `name`, `split`, `directory` and the options, see
            `data.sources.load`.
        image_size: pixels of a side; a folder, or a set of images of
            different sizes, needs it. See `image_decoder`, as for the others.

    Returns:
        Rows uint8 `[N, height, width, channels]`.

    Raises:
        ValueError: see `data.sources.load`; or a size is missing.
    """
    decoder = image_decoder(image_size, channels, max_pixels)
    examples = sources.load(
        source,
        name=name,
        split=split,
        directory=directory,
        decoder=decoder,
        **options,
    )
    if examples.dense:
        return examples
    raise ValueError(
        "the images of a folder need `image_size`, the pixels of a side "
        "that all are brought to. Received: image_size=None for "
        f"{examples.folder}"
    )


def image_decoder(
    image_size: int | None = None,
    channels: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Decoder:
    """Makes the decoder of images.

    Args:
        image_size: pixels of a side: the shorter side is resized to it and
            the centre square cut out. None: as they are, whatever the sizes.
        channels: 1 or 3; None: as they are, and 3 for files.
        max_pixels: files of more are `Unreadable`.

    Raises:
        ValueError: a number is out of its range.
    """
    check_channels(channels)
    if image_size is not None and image_size < 1:
        raise ValueError(
            f"`image_size` must be at least 1. Received: {image_size}"
        )
    shape = (image_size, image_size, channels or 3)
    return Decoder(
        spec={NAME: tf.TensorSpec(shape, tf.uint8)},
        decode=functools.partial(_decode, shape=shape, max_pixels=max_pixels),
        extensions=EXTENSIONS,
        conform=functools.partial(
            _conform, image_size=image_size, channels=channels
        ),
        of_stored=functools.partial(
            _of_stored, (image_size, channels, max_pixels)
        ),
        feature="Image",
        key=max_pixels,
    )


def _decode(data, shape, max_pixels):
    if shape[0] is not None and shape[0] == shape[1]:
        return decode_square(data, shape[0], shape[2], max_pixels)
    return decode_image(data, shape[2], max_pixels=max_pixels)


def _decode_stored(data, shape, max_pixels):
    image = decode_image(data, shape[2], max_pixels=max_pixels)
    if image.shape != shape:
        raise Unreadable(f"shape {image.shape}, not {shape}")
    return image


def _of_stored(settings, name, shape, dtype):
    """The decoder of a set of `tfds`, whose features say what they are."""
    image_size, channels, max_pixels = settings
    height, width, stored = shape
    channels = channels or (1 if stored == 1 else 3)
    if dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{name} must have images of 8 or 16 bits. Received: {dtype}"
        )
    decoder = image_decoder(image_size, channels, max_pixels)
    if image_size is not None:
        return decoder
    if height is None or width is None:
        raise ValueError(
            f"the images of {name} differ in size, so `image_size`, the "
            "pixels of a side that all are brought to, is needed. "
            "Received: image_size=None"
        )
    shape = (height, width, channels)
    return dataclasses.replace(
        decoder,
        spec={NAME: tf.TensorSpec(shape, tf.uint8)},
        decode=functools.partial(
            _decode_stored, shape=shape, max_pixels=max_pixels
        ),
    )


def _conform(images, where, image_size, channels):
    """Images of an array as uint8, resized and with the channels wanted."""
    images = _as_uint8(images, where)
    _, height, width, now = images.shape
    if channels not in (None, now):
        images = _change_channels(images, channels, where)
    if image_size is None or (height, width) == (image_size, image_size):
        return images
    return np.stack(
        [resize_and_centre_crop(image, image_size) for image in images]
    )


def _as_uint8(images, where):
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"{where} must be [N, height, width] or [N, height, "
            f"width, channels]. Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"{where} must be uint8, or floats in [0, 1]. Received: "
            f"{images.dtype}"
        )
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(
            f"{where} has floats, which must be in [0, 1]. Received: "
            f"{low:g} to {high:g}; divide by the largest value, or store uint8"
        )
    return np.round(images * 255).astype(np.uint8)


def _change_channels(pixels, channels, where):
    now = pixels.shape[-1]
    if (now, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=-1)
    if (now, channels) == (3, 1):
        return np.round(pixels @ LUMA)[..., np.newaxis].astype(np.uint8)
    raise ValueError(
        f"{where} has {now} channels, which cannot become `channels`="
        f"{channels}; leave it at 0 to take them as they are"
    )
