"""Draws the two views by KerasCV's layers, as far as it has them.

Its crop draws the aspect ratio, not its logarithm, uniformly, and resizes
bilinearly; its jitter has a fixed order.
"""

import numpy as np
import tensorflow as tf
from keras_cv import layers

from benchmarks.workers import protocol


def chain(size: int, blur: float, solarize: float) -> list:
    """Makes the layers of one view, for images in [0, 255]."""
    kernel = max(3, size // 10 | 1)
    jitter = layers.RandomColorJitter(
        value_range=(0, 255),
        brightness_factor=0.4,
        contrast_factor=0.4,
        saturation_factor=(0.4, 0.6),
        hue_factor=0.2,
    )
    gaussian = layers.RandomGaussianBlur(kernel, (0.1, 2.0))
    view = [
        layers.RandomCropAndResize((size, size), (0.08, 1.0), (3 / 4, 4 / 3)),
        layers.RandomFlip("horizontal"),
        sometimes(jitter, 0.8),
        sometimes(layers.Grayscale(output_channels=3), 0.2),
        gaussian if blur == 1 else sometimes(gaussian, blur),
    ]
    if solarize:
        solarization = layers.Solarization((0, 255), threshold_factor=128)
        view.append(sometimes(solarization, solarize))
    return view


def sometimes(layer, rate: float):
    """Makes a layer that is applied to each image with some probability."""
    return layers.RandomApply(layer, rate=rate, batchwise=False)


def prepare(case: dict) -> protocol.Repeated:
    """Draws views of an array in one function, or in a pipeline's threads."""
    batch, size = case["batch"], case["size"]
    shape = (batch, case["source"], case["source"], 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    chains = (chain(size, 1.0, 0.0), chain(size, 0.1, 0.2))

    def two_views(images):
        images = tf.cast(images, tf.float32)
        return [_apply(view, images) / 255.0 for view in chains]

    count = 2 * protocol.threads()  # batches that a pipeline makes at a time
    piece, info = protocol.fastest(
        {
            "one function": lambda: _direct(two_views, images, count),
            "tf.data": lambda: _pipeline(two_views, images, count),
        }
    )
    return protocol.Repeated(piece, batch * count, case["seconds"], info)


def _apply(layers, images):
    for layer in layers:
        images = layer(images, training=True)
    return images


def _direct(two_views, images, count):
    function, images = tf.function(two_views), tf.constant(images)

    def piece():
        for _ in range(count):
            function(images)[1][0, 0, 0, 0].numpy()

    return piece


def _pipeline(two_views, images, count):
    data = tf.data.Dataset.from_tensors(images).repeat(count)
    data = data.map(two_views, num_parallel_calls=protocol.threads())

    def piece():
        for views in data:
            views[1][0, 0, 0, 0].numpy()

    return piece


if __name__ == "__main__":
    protocol.serve(prepare, "keras-cv", "tensorflow", "tensorflow-cpu")
