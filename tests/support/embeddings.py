"""Folders of images and files of embeddings, for the tests of search."""

import dataclasses

import keras
import numpy as np
from PIL import Image

from byol_tf.runs.encoder import Encoder
from byol_tf.search import parts
from byol_tf.search.table import OK, Embeddings, Row
from tests.support.encoders import image_encoder

SIDE = 4


class Pixels:
    """In place of the encoder's model: pixels, and how many were seen."""

    batch_size = 3

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return images.reshape(len(images), -1).astype(np.float32) / 255


def pixel_encoder(channels=3, sha256="a" * 64) -> Encoder:
    """Represents an image by its pixels."""
    images = keras.Input((SIDE, SIDE, channels))
    model = keras.Model(images, keras.layers.Flatten()(images))
    encoder = image_encoder(model, SIDE, channels)
    about = {**encoder.about, "sha256": sha256}
    return dataclasses.replace(encoder, about=about)


def save_image(folder, name, seed, size=(SIDE, SIDE)) -> np.ndarray:
    """Writes a random RGB image; gives its pixels."""
    width, height = size
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def write_embeddings(target, vectors, paths=None, folder="") -> Embeddings:
    """A finished file; None among the vectors is an image without one."""
    if paths is None:
        paths = [f"{row:05}.png" for row in range(len(vectors))]
    features = len(next(v for v in vectors if v is not None))
    about = {"origin": {"folder": str(folder)}}
    with parts.PartWriter(target, features, about) as writer:
        for path, vector in zip(paths, vectors, strict=True):
            status = "damaged" if vector is None else OK
            writer.add(Row(path, vector, status, 1, 2))
    files = {path: (1, 2) for path in paths}
    parts.join(target, files, features, about)
    return Embeddings(target)


def random_vectors(count, features, seed=0) -> np.ndarray:
    """float32 `[count, features]`."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, features)).astype(np.float32)
