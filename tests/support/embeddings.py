"""Folders of images and files of embeddings, for the tests of search."""

import numpy as np
from PIL import Image

from byol_tf.jobs.embed.run import Embedder
from byol_tf.search import parts
from byol_tf.search.table import OK, Embeddings, Row

SIDE = 4


class Pixels:
    """In place of an encoder: the pixels, and a count of what was seen."""

    batch_size = 3

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return images.reshape(len(images), -1).astype(np.float32) / 255


def pixel_embedder(channels=3, encoder="a" * 64) -> Embedder:
    """Represents an image by its pixels."""
    origin = {"encoder": encoder, "image_size": SIDE, "channels": channels}
    return Embedder(Pixels(), SIDE * SIDE * channels, SIDE, channels, origin)


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
