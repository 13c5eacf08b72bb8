"""What image encoders are fed: files and arrays, in Python and in graphs."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.decode import (
    MAX_PIXELS,
    decode_square,
    upright_size,
)
from byol_tf.modalities.image.graph_decode import decode_squares
from byol_tf.modalities.image.layer import to_float
from byol_tf.modalities.signature import DEFAULT, Signature

IMAGES, IMAGES_FLOAT, FILES = "images", "images_float", "bytes"
_FILES = "string [n], the bytes of JPEG, PNG, GIF or BMP files of any size"


def sizes(shape: Sequence[int | None], section=None, preprocessor=None) -> dict:
    """Sizes of stored images `[height, width, channels]`.

    Images of several sizes are taken to be squares of twice the views' side
    by what needs a size.
    """
    known = {"max_pixels": MAX_PIXELS}
    if preprocessor is not None:
        known["view_size"] = preprocessor.size[0]
    if section is not None:
        known["max_pixels"] = int(section.data.max_megapixels * 10**6)
    height, width, channels = shape
    if height is None:
        height = width = 2 * known["view_size"]
    return {
        "image_shape": [height, width, channels],
        "image_size": min(height, width),
        "channels": channels,
        **known,
    }


def decode_row(data, sizes: Mapping[str, int]) -> np.ndarray:
    """Decodes a file to a stored row.

    Args:
        data: path of the file, or its bytes.
        sizes: `image_size`, `channels` and `max_pixels`.

    Returns:
        uint8 `[image_size, image_size, channels]`.

    Raises:
        ImageError: it cannot be decoded or is too large.
        ValueError: images of these channels are in no file.
    """
    _check_channels(sizes["channels"])
    return decode_square(
        data, sizes["image_size"], sizes["channels"], sizes["max_pixels"]
    )


def origin(data) -> dict[str, tuple[int, int]]:
    """`size`: width and height of a file's image as it is shown."""
    return {"size": upright_size(data)}


def inputs(
    preprocessor, sizes: Mapping[str, int], form: str
) -> dict[str, Signature]:
    """Signatures of an exported encoder of images.

    Args:
        preprocessor: from uint8 images, or floats in [0, 1], to what the
            model takes.
        sizes: see `decode_row`; also `image_shape`, of a stored row.
        form: "saved_model": files, uint8 and float images; "graph": float
            images alone.

    Raises:
        ValueError: files have no images of these channels.
    """
    channels = sizes["channels"]
    if form != "saved_model":
        floats = _arrays(tf.float32, channels, preprocessor)
        return {IMAGES: floats._replace(of_rows=_as_floats)}
    _check_channels(channels)

    def prepare(images):
        return _prepare(preprocessor, images)

    pixels = _arrays(tf.uint8, channels, prepare)
    return {
        DEFAULT: _files(prepare, sizes),
        IMAGES: pixels._replace(of_rows=np.asarray),
        IMAGES_FLOAT: _arrays(tf.float32, channels, prepare),
    }


def _arrays(dtype, channels, prepare):
    spec = tf.TensorSpec([None, None, None, channels], dtype, IMAGES)
    words = f"{dtype.name} [n, height, width, {channels}] of any size"
    if dtype == tf.float32:
        words += ", in [0, 1]"
    return Signature(
        {IMAGES: spec}, lambda images: (prepare(images), None), {IMAGES: words}
    )


def _files(prepare, sizes):
    def read(files):
        images, status = decode_squares(
            files, sizes["image_size"], sizes["channels"], sizes["max_pixels"]
        )
        return prepare(images), status

    spec = tf.TensorSpec([None], tf.string, FILES)
    # Files are cut to squares of the size of the data; other rows are not.
    square = (sizes["image_size"],) * 2
    as_stored = tuple(sizes.get("image_shape", square)[:2]) == square
    return Signature(
        {FILES: spec},
        read,
        {FILES: _FILES},
        (lambda rows: [png(row) for row in rows]) if as_stored else None,
    )


def png(image: np.ndarray) -> bytes:
    """The PNG file of uint8 `[height, width, 1 or 3]`."""
    plain = image[..., 0] if image.shape[-1] == 1 else image
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(file, "PNG")
    return file.getvalue()


def _check_channels(channels):
    if channels not in (1, 3):
        raise ValueError(
            f"image files have 1 or 3 channels, but the model takes {channels}"
        )


def _as_floats(rows):
    return np.asarray(rows, np.float32) / np.float32(255.0)


def _prepare(prepare, images):
    """What `prepare` makes, without a resize of images that have the size."""
    if (
        None not in images.shape[1:3]  # then it sees for itself
        or not isinstance(prepare, CentreView)
        or prepare.crop_fraction < 1
    ):
        return prepare(images)
    return tf.cond(
        tf.reduce_all(tf.shape(images)[1:3] == prepare.size),
        lambda: tf.ensure_shape(
            to_float(images), [None, *prepare.size, images.shape[-1]]
        ),
        lambda: prepare(images),
    )
