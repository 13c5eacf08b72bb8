"""Encoders that no run folder holds, for tests."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import keras
import numpy as np

from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.inputs import sizes
from byol_tf.runs.encoder import Encoder
from byol_tf.tasks.classification import Classification

SIZE = 8  # of what `classifier` sees


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """Makes the kernels of new models 0, where their shapes alone count.

    To draw them takes most of the time in which a large network is made.
    """

    def zeros(self, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)

    with mock.patch.object(
        keras.initializers.VarianceScaling, "__call__", zeros
    ):
        yield


def image_encoder(
    model: keras.Model, size: int, channels: int = 3, task=None, prepare=None
) -> Encoder:
    """A model of images that are stored and shown in one size."""
    shape = [size, size, channels]
    about = {
        "modality": "image",
        "spec": {"image": {"shape": shape, "dtype": "uint8"}},
        "sizes": {**sizes(shape), "view_size": size, "max_pixels": 10**6},
    }
    return Encoder(model, prepare or CentreView(size), about, task)


def brightness_model(channels=3):
    """Softmax of (0, 20 * (mean - 0.5)): class 1 is bright."""
    inputs = keras.Input((SIZE, SIZE, channels))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, dense(mean))
    kernel = np.zeros((channels, 2))
    kernel[:, 1] = 20 / channels
    dense.set_weights([kernel, np.array([0.0, -10.0])])
    return model


def classifier(channels=3):
    """Tells dark images from light ones."""
    task = Classification(("dark", "light"))
    return image_encoder(brightness_model(channels), SIZE, channels, task)
