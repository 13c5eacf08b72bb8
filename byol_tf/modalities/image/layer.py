"""What the image layers share: their input, their dtype, their arguments."""

import keras
import tensorflow as tf


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


def check_images(images: tf.Tensor) -> tf.Tensor:
    """The images as a tensor, if they are a batch of uint8 or floats.

    Raises:
        ValueError: they are not.
    """
    images = tf.convert_to_tensor(images)
    if images.shape.rank != 4 or images.shape[-1] is None:
        raise ValueError(
            "`images` must be [batch, height, width, channels] with a known "
            f"number of channels. Received shape: {images.shape}"
        )
    if images.dtype != tf.uint8 and not images.dtype.is_floating:
        raise ValueError(
            "`images` must be uint8, or float in [0, 1]. "
            f"Received dtype: {images.dtype.name}"
        )
    return images


def to_float(images: tf.Tensor) -> tf.Tensor:
    """float32 in [0, 1] from uint8, or from floats in [0, 1].

    Raises:
        ValueError: see `check_images`.
    """
    return unit_values(check_images(images))


def unit_values(pixels: tf.Tensor) -> tf.Tensor:
    """float32 in [0, 1] from uint8 of any shape, or from such floats."""
    values = tf.cast(pixels, tf.float32)
    return values / 255.0 if pixels.dtype == tf.uint8 else values


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of an image; a ValueError if they are none."""
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
