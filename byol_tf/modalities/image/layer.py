"""Shared parts of the image layers: checks of inputs, dtypes and arguments."""

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_number

# Floats beyond [0, 1] by at most this are clipped: resizing overshoots.
SLACK = 0.25
DTYPES = ("uint8", "uint16", "float32")  # of stored images
Window = tuple[float, float]


class ImageLayer(keras.layers.Layer):
    """A layer without weights that computes in float32 under any policy."""

    def __init__(self, **kwargs):
        kwargs.update(dtype="float32", autocast=False)
        super().__init__(**kwargs)
        self.built = True

    def get_config(self):
        config = super().get_config()
        config.pop("dtype")
        return config


def check_images(images: tf.Tensor, window: Window | None = None) -> tf.Tensor:
    """Checks that images are a batch of uint8, uint16 or floats in [0, 1].

    The range of floats is checked only if they have values, not in a graph.

    Args:
        images: `[batch, height, width, channels]`.
        window: see `to_float`.

    Returns:
        The images as a tensor.

    Raises:
        ValueError: if they are no such batch, or floats outside [0, 1].
    """
    images = tf.convert_to_tensor(images)
    if images.shape.rank != 4 or images.shape[-1] is None:
        raise ValueError(
            "`images` must be [batch, height, width, channels] with a known "
            f"number of channels. Received shape: {images.shape}"
        )
    floats = images.dtype.is_floating
    if images.dtype not in (tf.uint8, tf.uint16) and not floats:
        raise ValueError(
            "`images` must be uint8, uint16, or float in [0, 1]. "
            f"Received dtype: {images.dtype.name}"
        )
    if floats and hasattr(images, "numpy") and tf.size(images):
        check_floats(images, window)
    return images


def check_floats(images, window: Window | None = None) -> None:
    """Raises a ValueError for floats outside [0, 1], or NaN.

    Args:
        images: floats of any shape, with values.
        window: see `to_float`; if given, only NaN and infinity are refused.
    """
    low, high = float(np.min(images)), float(np.max(images))
    limits = (-SLACK, 1.0 + SLACK)
    if window:
        limits = np.finfo(np.float32).min, np.finfo(np.float32).max
    if limits[0] <= low <= high <= limits[1]:
        return
    if not np.isfinite([low, high]).all():
        advice = "replace what is not finite"
    elif low >= 0 and high <= 255:
        advice = "divide by 255, or pass uint8"
    elif low >= -1 and high <= 1:
        advice = "take (images + 1) / 2"
    else:
        advice = "subtract the lowest and divide by the range of your data"
    raise ValueError(
        "`images` of floats must be in [0, 1]. Received: "
        f"{low:g} to {high:g}; {advice}"
    )


def to_float(images: tf.Tensor, window: Window | None = None) -> tf.Tensor:
    """Converts uint8, uint16, or floats in [0, 1] to float32 in [0, 1].

    Args:
        images: `[batch, height, width, channels]`.
        window: black and white values of images that are not uint8; values
            outside are clipped. None: the whole range of uint16, and floats
            unchanged.

    Raises:
        ValueError: see `check_images`.
    """
    return unit_values(check_images(images, window), window)


def unit_values(pixels: tf.Tensor, window: Window | None = None) -> tf.Tensor:
    """Does what `to_float` does for any shape, without checks."""
    values = tf.cast(pixels, tf.float32)
    if pixels.dtype == tf.uint8:
        return values / 255.0
    if window:
        low, high = window
        return tf.clip_by_value((values - low) / (high - low), 0.0, 1.0)
    return values / 65535.0 if pixels.dtype == tf.uint16 else values


def check_window(window) -> Window | None:
    """Returns two ascending numbers, or None; else raises a ValueError."""
    if window is None:
        return None
    low, high = (check_number("window", float(v), -np.inf) for v in window)
    if not low < high:
        raise ValueError(
            "`window` must be (low, high) with low < high. "
            f"Received: window={window!r}"
        )
    return low, high


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Returns height and width of an image, or raises a ValueError."""
    pair = (size, size) if isinstance(size, int) else size
    try:
        height, width = map(int, pair)
        valid = (height, width) == tuple(pair) and min(height, width) > 0
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "`size` must be a positive number of pixels or a pair of them. "
            f"Received: size={size!r}"
        )
    return (height, width)
