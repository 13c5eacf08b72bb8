"""Draws our views as `train.py` does."""

import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from byol_tf import TwoViews
from byol_tf.data.store import decoded_chunks
from byol_tf.data.walk import find_files
from byol_tf.modalities.image.decode import EXTENSIONS, decode_square
from byol_tf.seeds import step_seed

STORED = 256  # pixels of a side that files are decoded to, for 224 px views


def prepare(case: dict) -> protocol.Repeated:
    """Draws views of an array, or of the files in a folder."""
    make = _of_files if "folder" in case else _of_arrays
    return make(drawing(TwoViews.byol(case["size"])), case)


def _of_arrays(draw, case):
    shape = (case["batch"], case["source"], case["source"], 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    step = iter(range(2**31))

    def piece():
        draw(images, next(step))

    return protocol.Repeated(piece, case["batch"], case["seconds"])


def _of_files(draw, case):
    """Decodes the files in threads, batch by batch, and draws their views.

    Training decodes a folder to squares once; this is the first epoch, which
    both decodes and draws.
    """
    root = pathlib.Path(case["folder"])
    names, batch = find_files(root, EXTENSIONS, "image"), case["batch"]
    paths = [root / path for path in names]

    def piece():
        chunks = decoded_chunks(
            paths, lambda path: decode_square(path, STORED, 3), batch
        )
        for step, chunk in enumerate(chunks):
            draw(np.stack([pixels for _, pixels in chunk]), step)

    info = {"variant": f"decoded to {STORED} px squares"}
    return protocol.Repeated(piece, len(paths), case["seconds"], info)


def drawing(views: TwoViews) -> Callable[[np.ndarray, int], None]:
    """Returns a function that draws both views, as a graph as in training."""

    @tf.function(autograph=False)
    def draw_both(images, step):
        return views(images, seed=step_seed(0, step))

    def draw(images, step):
        for view in draw_both(tf.constant(images), tf.constant(step)):
            view[0, 0, 0, 0].numpy()  # waits for it

    return draw


if __name__ == "__main__":
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras", "numpy")
