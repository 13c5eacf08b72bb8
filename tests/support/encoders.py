"""Encoders that no run folder holds, for tests."""

import keras

from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.image.inputs import sizes
from byol_tf.runs.encoder import Encoder


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
