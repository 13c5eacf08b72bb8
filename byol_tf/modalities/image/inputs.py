"""Inputs of image encoders: files and arrays, in Python and in graphs."""

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
from byol_tf.modalities.image.graph_decode import decode_files
from byol_tf.modalities.image.layer import SLACK, to_float
from byol_tf.modalities.image.letterbox import WholeView
from byol_tf.modalities.image.resize import (
    letterbox,
    resize_and_centre_crop,
)
from byol_tf.modalities.signature import DEFAULT, OK, Signature

IMAGES, IMAGES_FLOAT, FILES = "images", "images_float", "bytes"
RANGE = "floats outside of [0, 1]: divide by 255, or send uint8"
NOT_FINITE = "not finite"
_FILES = "string [n], the bytes of JPEG, PNG, GIF or BMP files of any size"


def sizes(shape: Sequence[int | None], section=None, preprocessor=None) -> dict:
    """Returns the sizes of stored images `[height, width, channels]`.

    Images of several sizes count as squares of twice the views' side. `dtype`
    is given unless it is uint8, then also `window` if there is one, and `whole`
    for letterboxed images.
    """
    fields = {"max_pixels": MAX_PIXELS}
    if preprocessor is not None:
        fields["view_size"] = preprocessor.size[0]
        if isinstance(preprocessor, WholeView):
            fields["whole"] = True
        if preprocessor.stored != "uint8":
            fields["dtype"] = preprocessor.stored
            if preprocessor.window:
                fields["window"] = list(preprocessor.window)
    if section is not None:
        fields["max_pixels"] = int(section.data.max_megapixels * 10**6)
    height, width, channels = shape
    if height is None:
        height = width = 2 * fields["view_size"]
    return {
        "image_shape": [height, width, channels],
        "image_size": min(height, width),
        "channels": channels,
        **fields,
    }


def decode_row(data, sizes: Mapping) -> np.ndarray:
    """Decodes a file to a stored row.

    Args:
        data: path or bytes of the file.
        sizes: `image_size`, `channels`, `max_pixels`, and `dtype` if it is not
            uint8; `whole` for whole images; `window` to which 8-bit files are
            scaled.

    Returns:
        `[image_size, image_size, channels]`.

    Raises:
        ImageError: if it cannot be decoded or is too large.
    """
    keys = "image_size", "channels", "max_pixels"
    dtype, whole = sizes.get("dtype", "uint8"), sizes.get("whole", False)
    arguments = (sizes[key] for key in keys)
    return decode_square(
        data, *arguments, dtype, whole, window=sizes.get("window")
    )


def origin(data) -> dict[str, tuple[int, int]]:
    """Returns `size`: width and height of a file's image, upright."""
    return {"size": upright_size(data)}


def inputs(preprocessor, sizes: Mapping, form: str) -> dict[str, Signature]:
    """Returns the signatures of an exported encoder of images.

    A graph decodes only files of 1 or 3 channels and integers; models of other
    images take arrays by the default signature.

    Args:
        preprocessor: converts stored images, or floats in [0, 1], to inputs of
            the model.
        sizes: see `decode_row`; also `image_shape`, of a stored row.
        form: "saved_model": files, stored and float images; "graph": only float
            images.
    """
    channels, dtype = sizes["channels"], sizes.get("dtype", "uint8")
    window = getattr(preprocessor, "window", None)

    def prepare(images):
        return _prepare(preprocessor, images)

    whole = sizes.get("whole", False)
    floats = _arrays(tf.float32, channels, prepare, window, whole)
    if form != "saved_model":
        return {
            IMAGES: floats._replace(
                read=lambda x: (
                    *_checked(x, preprocessor, window),
                    *_origin(x, whole),
                ),
                of_rows=lambda rows: _as_floats(as_wanted(rows, sizes), window),
            )
        }
    stored = _arrays(tf.as_dtype(dtype), channels, prepare, window, whole)
    stored = stored._replace(of_rows=np.asarray)
    if channels in (1, 3) and dtype != "float32":
        default = _files(prepare, sizes, dtype)
    else:
        default = stored._replace(of_rows=None)
    signatures = {DEFAULT: default, IMAGES: stored}
    return (
        signatures
        if dtype == "float32"
        else {**signatures, IMAGES_FLOAT: floats}
    )


def _arrays(dtype, channels, prepare, window, whole):
    floats = dtype.is_floating
    words = f"{dtype.name} [n, height, width, {channels}] of any size"
    if floats and window:
        words += f", as stored: {window[0]:g} is black and {window[1]:g} white"
    elif floats:
        words += ", in [0, 1]"

    def read(images):
        origin = _origin(images, whole)
        if not floats:
            return (prepare(images), None, *origin)
        batch, valid = _checked(images, prepare, window)
        status = tf.where(valid, OK, NOT_FINITE if window else RANGE)
        return (batch, status, *origin)

    spec = tf.TensorSpec([None, None, None, channels], dtype, IMAGES)
    return Signature({IMAGES: spec}, read, {IMAGES: words}, has_status=floats)


def _origin(images, whole):
    """Returns nothing, or for whole images their widths and heights."""
    if not whole:
        return ()
    count, height, width, _ = tf.unstack(tf.shape(images))
    return ({"size": tf.tile([[width, height]], [count, 1])},)


def _checked(images, prepare, window):
    """Returns the batch, NaN for invalid values, and bool `[n]`: all valid."""
    low, high = (-SLACK, 1.0 + SLACK) if window is None else (-3e38, 3e38)
    valid = tf.reduce_all((images >= low) & (images <= high), [1, 2, 3])
    batch = prepare(images)
    return tf.where(valid[:, None, None, None], batch, float("nan")), valid


def _files(prepare, sizes, dtype):
    def read(files):
        whole = sizes.get("whole", False)
        images, status, size = decode_files(
            *(files, sizes["image_size"], sizes["channels"]),
            *(sizes["max_pixels"], dtype, whole, sizes.get("window")),
        )
        origin = ({"size": size},) if whole else ()
        return (prepare(images), status, *origin)

    spec = tf.TensorSpec([None], tf.string, FILES)
    # Files are cut to squares of the data's size; other rows are not.
    square = (sizes["image_size"],) * 2
    as_stored = tuple(sizes.get("image_shape", square)[:2]) == square
    return Signature(
        {FILES: spec},
        read,
        {FILES: _FILES},
        has_status=True,
        of_rows=(lambda rows: [png(row) for row in as_wanted(rows, sizes)])
        if as_stored
        else None,
    )


def as_wanted(rows: np.ndarray, sizes: Mapping) -> np.ndarray:
    """Converts rows of another preprocessing to squares of whole images."""
    side = sizes["image_size"]
    if not sizes.get("whole") or rows.shape[1:3] == (side, side):
        return rows
    return np.stack([resize_and_centre_crop(letterbox(r), side) for r in rows])


def png(image: np.ndarray) -> bytes:
    """Encodes uint8 or uint16 `[height, width, 1 or 3]` as a PNG file."""
    if image.dtype == np.uint16:
        return tf.io.encode_png(image).numpy()
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()


def _as_floats(rows, window):
    """Converts rows to floats for the model; unchanged if it has a window."""
    rows = np.asarray(rows)
    maximum = {"uint8": 255.0, "uint16": 1.0 if window else 65535.0}
    return np.float32(rows) / np.float32(maximum.get(rows.dtype.name, 1.0))


def _prepare(prepare, images):
    """Applies `prepare`, but does not resize images that have the size."""
    if (
        None not in images.shape[1:3]  # then it sees for itself
        or not isinstance(prepare, CentreView)
        or prepare.crop_fraction < 1
    ):
        return prepare(images)
    return tf.cond(
        tf.reduce_all(tf.shape(images)[1:3] == prepare.size),
        lambda: tf.ensure_shape(
            to_float(images, prepare.window),
            [None, *prepare.size, images.shape[-1]],
        ),
        lambda: prepare(images),
    )
