"""The deterministic preprocessing of tasks that need whole images."""

import keras
import tensorflow as tf

from byol_tf.modalities.image import geometry
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.layer import to_float


@keras.saving.register_keras_serializable("byol_tf")
class WholeView(CentreView):
    """Letterboxes every whole image to the size of the encoder's input.

    Arguments, input and output are those of `CentreView`, but `size` must be
    square, and nothing is cut off.
    """

    def __init__(self, size, **options):
        super().__init__(size, **options)
        if self.size[0] != self.size[1] or self.crop_fraction != 1.0:
            raise ValueError(
                "whole images need a square `size` and `crop_fraction=1`. "
                f"Received: size={self.size}, "
                f"crop_fraction={self.crop_fraction}"
            )

    def call(self, images):
        several_sizes = isinstance(images, dict)
        pixels = images["image"] if several_sizes else images
        pixels = to_float(pixels, self.window)
        batch, rows, columns, _ = geometry.sizes(pixels)
        if several_sizes:
            sides = tf.reduce_max(images["length"], axis=1)
        elif self.size == tuple(pixels.shape[1:3]):  # known beforehand
            return pixels
        else:
            sides = tf.fill([batch], tf.maximum(rows, columns))
        side = tf.maximum(rows, columns)
        paddings = [[0, 0], [0, side - rows], [0, side - columns], [0, 0]]
        return self._cut(tf.pad(pixels, paddings), sides, sides)
