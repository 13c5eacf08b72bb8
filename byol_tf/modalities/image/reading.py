"""How images are read from files, arrays and data sets."""

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
LOOKED_AT = 16  # files whose heads say which dtype a folder needs


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
            different sizes, needs it.
        channels: see `image_decoder`; None keeps those of the files.
        max_pixels: files of more pixels are unreadable.
        **options: further ones of `data.sources.load`.

    Returns:
        Rows `[N, height, width, channels]`: uint8, or uint16 or float32 where
        files or arrays hold such.

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
        image_size: pixels of a side: the shorter side is resized to it and
            the centre square cut out. None: as they are, whatever the sizes.
        channels: 1 or more; None: as they are, and 3 for files of colours or
            gray.
        max_pixels: files of more are `Unreadable`.
        window: which values are black and white of images deeper than 8
            bits, if it is given: floats may lie outside of [0, 1], and files
            of 8 bits among deeper ones are brought into it.
        whole: letterbox images to squares of `image_size`, see
            `resize.letterbox`, in place of cutting out the centre.

    Raises:
        ValueError: a number is out of its range.
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
        # Not a pair without `whole`: stores of earlier releases stay valid.
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
    """The decoder for rows of a shape and a dtype."""
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
        """A row of free size, no larger than its cuts need; see `Views`."""
        if self.shape[0] is not None:
            return self(data)
        options = self.max_pixels, cuts, self.dtype, self.window
        return decode_to_cut(data, self.shape[-1], *options)


def _of_files(decoder, channels, files: Sequence) -> Decoder:
    """The decoder of a folder, whose first files say what they hold."""
    found = []
    for number in np.unique(
        np.linspace(0, len(files) - 1, LOOKED_AT, dtype=int)
    ):
        try:
            found.append(look(files[number]))
        except Unreadable:  # says so when its turn comes
            continue
    dtypes = Counter(one.dtype for one in found) or Counter(["uint8"])
    dtype = max(dtypes, key=lambda name: (dtypes[name], DTYPES.index(name)))
    if len(dtypes) > 1:
        logging.warning(
            "Of %d images looked at %s hold %s: all are brought to %s.",
            *(len(found), " and ".join(map(str, dtypes.values()))),
            *(" and ".join(dtypes), dtype),
        )
    bands = max((one.bands for one in found), default=3)
    shape = decoder.spec[NAME].shape
    shape = (*shape[:2], channels or max(bands, 3))
    return _decoding(decoder, shape, dtype)


def _of_stored(decoder, channels, name, shape, dtype):
    """The decoder of a set of `tfds`, whose features say what they are."""
    height, width, stored = shape
    channels = channels or (1 if stored == 1 else 3)
    if dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{name} must have images of 8 or 16 bits. Received: {dtype}"
        )
    size = decoder.spec[NAME].shape[0]
    if size is not None:
        height = width = size
    return _decoding(decoder, (height, width, channels), np.dtype(dtype).name)


def _conform(images, where, image_size, channels, free_range, whole):
    """Images of an array, resized and with the channels wanted."""
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
    fitted = map(letterbox, images) if whole else images
    return np.stack([resize_and_centre_crop(x, image_size) for x in fitted])


def _checked(images, where, free_range):
    """Images as uint8, uint16 or float32 `[N, height, width, channels]`."""
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
