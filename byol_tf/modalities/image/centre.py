"""The deterministic preprocessing that evaluation and export share."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf

from byol_tf.checks import check_choice, check_range
from byol_tf.modalities.image import geometry
from byol_tf.modalities.image.layer import (
    DTYPES,
    ImageLayer,
    check_size,
    check_window,
    to_float,
)


@keras.saving.register_keras_serializable("byol_tf")
class CentreView(ImageLayer):
    """Cuts out the centre of every image and resizes it for the encoder.

    It cuts out the largest centred box with the proportions of `size`, which
    equals scaling the shorter side and cropping the centre. Images of that size
    are only converted.

    Args:
        size: height and width of the result, or one number for both.
        crop_fraction: share of that box's sides that is kept, in (0, 1]; the
            official ImageNet evaluation has 224 / 256.
        resize: "bicubic" or "bilinear".
        window: black and white values of images that are not uint8, see
            `to_float`; None: the whole range.
        stored: dtype of the rows it was made for, one of `DTYPES`.

    Input: uint8, uint16, or float in [0, 1], `[batch, height, width,
    channels]`; only the channels must be known in advance. Or a dict for images
    of several sizes: `image`, padded to one size, and `length`, int32 `[batch,
    2]`, the height and width of each.

    Output: float32 `[batch, *size, channels]` in [0, 1].
    """

    def __init__(
        self,
        size,
        crop_fraction=1.0,
        resize="bicubic",
        window=None,
        stored="uint8",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.window = check_window(window)
        self.stored = check_choice("stored", stored, DTYPES)
        self.size = check_size(size)
        pair = (crop_fraction, crop_fraction)
        self.crop_fraction = check_range("crop_fraction", pair, 0.0, 1.0)[0]
        self.resize = check_choice("resize", resize, geometry.METHODS)

    def call(self, images):
        """Cuts the centre out of images `[batch, height, width, channels]`.

        A dict has images of several sizes: `image`, padded to one, and their
        `length`, int `[batch, 2]` (height and width).

        Returns:
            float32 in [0, 1], `[batch, *size, channels]`.
        """
        if isinstance(images, dict):
            rows, columns = tf.unstack(images["length"], axis=1)
            images = to_float(images["image"], self.window)
            return self._cut(images, rows, columns)
        images = to_float(images, self.window)
        if self.crop_fraction == 1.0 and self.size == images.shape[1:3]:
            return images
        batch, rows, columns, _ = geometry.sizes(images)
        rows, columns = tf.fill([batch], rows), tf.fill([batch], columns)
        return self._cut(images, rows, columns)

    @functools.cached_property
    def one(self):
        """Returns a function that prepares one image of any size, in a graph.

        `call` turns its result into the view of the image, so large images need
        not be padded to one batch. It is float32 `[*size, channels]`, with a
        border that `call` cuts off if `crop_fraction` is below 1.
        """
        low, high = self.window or (0.0, 1.0)
        border = [*map(self._border, self.size), [0, 0]]

        def prepare(image):
            view = self(image[tf.newaxis])[0] * (high - low) + low
            return tf.pad(view, border)

        return tf.function(prepare, autograph=False, reduce_retracing=True)

    def _border(self, side):
        """Returns the pixels before and after a side that `call` cuts off."""
        full_side = math.ceil(side / self.crop_fraction)
        while np.float32(full_side) * np.float32(self.crop_fraction) < side:
            full_side += 1  # which float32 rounds down
        leading = (full_side - side + 1) // 2
        return [leading, full_side - side - leading]

    def _cut(self, images, rows, columns):
        rows, columns = tf.cast(rows, tf.float32), tf.cast(columns, tf.float32)
        height, width = self.size
        box_rows = tf.minimum(rows, columns * height / width)
        box_columns = tf.minimum(columns, rows * width / height)
        top, box_rows = self._centred(box_rows, rows)
        left, box_columns = self._centred(box_columns, columns)
        box = (top, left, box_rows, box_columns)
        return geometry.crop_and_resize(
            images, *box, self.size, method=self.resize
        )

    def _centred(self, side, length):
        # Rounded as in the official code.
        side = tf.maximum(tf.floor(side * self.crop_fraction), 1.0)
        return tf.floor((length - side + 1.0) / 2.0), side

    def compute_output_shape(self, images_shape):
        """Returns the shape of the centres, `(batch, *size, channels)`."""
        return (images_shape[0], *self.size, images_shape[3])

    def get_config(self):
        keys = ["size", "crop_fraction", "resize"]
        # Earlier releases do not know these.
        keys += ["window"] if self.window else []
        keys += ["stored"] if self.stored != "uint8" else []
        return super().get_config() | {key: getattr(self, key) for key in keys}
