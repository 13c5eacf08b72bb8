"""Reading of images from files, arrays and datasets."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf.data import sources
from byol_tf.data.decoder import Decoder
from byol_tf.data.examples import Examples, Unreadable
from byol_tf.data.rows import spread_rows
from byol_tf.modalities.image.bands import with_channels
from byol_tf.modalities.image.decode import (
    EXTENSIONS,
    MAX_PIXELS,
    check_channels,
    decode_image,
    decode_square,
    decode_to_cut,
    look,
)
from byol_tf.modalities.image.layer import DTYPES, Window
from byol_tf.modalities.image.resize import (
    letterbox,
    resize_and_centre_crop,
)

NAME = "image"  # of a row
LOOKED_AT = 16  # files whose headers decide the dtype of a folder


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
    """Loads one split of an image dataset, decoded to one size.

    Args:
        source: with `name`, `split` and `directory`, see `data.sources.load`.
        image_size: side in pixels; required for folders and for images of mixed
            sizes.
        channels: see `image_decoder`; None: those of the files.
        max_pixels: larger files count as unreadable.
        **options: further arguments of `data.sources.load`.

    Returns:
        Examples with rows `[N, height, width, channels]`, uint8; or uint16 or
        float32 if files or arrays are.

    Raises:
        ValueError: as `data.sources.load`, or if a size is missing.
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
        f"the images of {examples.folder or examples.name} differ in size, so "
        "`image_size`, the pixels of a side that all are brought to, is "
        "needed. Received: image_size=None"
    )


def image_decoder(
    image_size: int | None = None,
    channels: int | None = None,
    max_pixels: int = MAX_PIXELS,
    window: Window | None = None,
    whole: bool = False,
) -> Decoder:
    """Makes the decoder of images.

    Args:
        image_size: side in pixels: the shorter side is resized to it and the
            centre square is cropped. None: keep every size.
        channels: 1 or more; None: as stored in arrays and datasets; for files
            3, also for gray ones, or more if a file has more.
        max_pixels: larger files are `Unreadable`.
        window: black and white values of images deeper than 8 bits. If given,
            floats may lie outside [0, 1], and 8-bit files among deeper ones are
            scaled into it.
        whole: letterbox images to squares of `image_size`, see
            `resize.letterbox`, instead of cropping.

    Raises:
        ValueError: if a number is out of range.
    """
    check_channels(channels)
    if image_size is not None and image_size < 1:
        raise ValueError(
            f"`image_size` must be at least 1. Received: {image_size}"
        )
    decoder = Decoder(
        spec={},
        decode=_Decode((), max_pixels, whole, "", window),
        extensions=EXTENSIONS,
        conform=functools.partial(
            _conform,
            image_size=image_size,
            channels=channels,
            free_range=window is not None,
            whole=whole,
        ),
        feature="Image",
        # Unchanged without `whole`, so that stores of earlier releases stay
        # valid.
        key=(max_pixels, *["whole"] * whole, *(window or ()))
        if whole or window
        else max_pixels,
    )
    shape = (image_size, image_size, channels or 3)
    decoder = _decoding(decoder, shape, "uint8")
    return dataclasses.replace(
        decoder,
        of_stored=functools.partial(_of_stored, decoder, channels),
        of_files=functools.partial(_of_files, decoder, channels),
    )


def _decoding(decoder, shape, dtype):
    """Returns the decoder for rows of a shape and a dtype."""
    return dataclasses.replace(
        decoder,
        spec={NAME: tf.TensorSpec(shape, dtype)},
        decode=dataclasses.replace(decoder.decode, shape=shape, dtype=dtype),
    )


@dataclasses.dataclass(frozen=True)
class _Decode:
    shape: tuple
    max_pixels: int
    whole: bool
    dtype: str
    window: Window | None

    def __call__(self, data, least_side=None):
        height, width, channels = self.shape
        limit, dtype = self.max_pixels, self.dtype
        if height is not None and height == width:
            square = height, channels, limit, dtype, self.whole, self.window
            return decode_square(data, *square)
        image = decode_image(
            *(data, channels),
            max_pixels=limit,
            least_side=least_side,
            dtype=dtype,
            window=self.window,
        )
        if height is not None and image.shape != self.shape:
            raise Unreadable(f"shape {image.shape}, not {self.shape}")
        return image

    def to_be_cut(self, data, cuts):
        """Decodes a row of free size, no larger than cuts need; see `Views`."""
        if self.shape[0] is not None:
            return self(data)
        options = self.max_pixels, cuts, self.dtype, self.window
        return decode_to_cut(data, self.shape[-1], *options)


def _of_files(decoder, channels, files: Sequence) -> Decoder:
    """Returns the decoder of a folder, by what some of its files hold."""
    headers = []
    for number in spread_rows(len(files), LOOKED_AT):
        try:
            headers.append(look(files[number]))
        except Unreadable:  # reported when it is decoded
            continue
    dtypes = Counter(header.dtype for header in headers) or Counter(["uint8"])
    dtype = max(dtypes, key=lambda name: (dtypes[name], DTYPES.index(name)))
    if len(dtypes) > 1:
        logging.warning(
            "Of %d images looked at %s hold %s: all are brought to %s.",
            *(len(headers), " and ".join(map(str, dtypes.values()))),
            *(" and ".join(dtypes), dtype),
        )
    bands = max((header.bands for header in headers), default=3)
    shape = decoder.spec[NAME].shape
    shape = (*shape[:2], channels or max(bands, 3))
    return _decoding(decoder, shape, dtype)


def _of_stored(decoder, channels, name, shape, dtype):
    """Returns the decoder of a `tfds` dataset, by its features."""
    height, width, stored_channels = shape
    channels = channels or (1 if stored_channels == 1 else 3)
    if dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{name} must have images of 8 or 16 bits. Received: {dtype}"
        )
    size = decoder.spec[NAME].shape[0]
    if size is not None:
        height = width = size
    return _decoding(decoder, (height, width, channels), np.dtype(dtype).name)


def _conform(images, where, image_size, channels, free_range, whole):
    """Resizes the images of an array and converts their channels."""
    images = _checked(images, where, free_range)
    try:
        images = with_channels(images, channels)
    except ValueError as error:
        raise ValueError(
            f"{where} has {error}; leave `channels` at 0 to take them as they "
            "are"
        ) from error
    if image_size is None or images.shape[1:3] == (image_size, image_size):
        return images
    squares = map(letterbox, images) if whole else images
    return np.stack([resize_and_centre_crop(x, image_size) for x in squares])


def _checked(images, where, free_range):
    """Returns images as uint8, uint16 or float32 `[N, height, width, c]`."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"{where} must be [N, height, width] or [N, height, "
            f"width, channels]. Received: shape {images.shape}"
        )
    if images.dtype in (np.uint8, np.uint16):
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"{where} must be uint8, uint16, or floats in [0, 1]. Received: "
            f"{images.dtype}"
        )
    low, high = images.min(), images.max()
    if free_range and np.isfinite([low, high]).all():
        low, high = 0, 1
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(
            f"{where} has floats, which must be in [0, 1]. Received: "
            f"{low:g} to {high:g}; divide by the largest value, or say what "
            "is black and white by --config.data.window=LOW,HIGH"
        )
    return images.astype(np.float32, copy=False)
