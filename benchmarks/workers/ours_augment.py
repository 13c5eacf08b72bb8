"""Our views, as `train.py` draws them."""

import pathlib

import numpy as np
import tensorflow as tf

from benchmarks.workers import protocol
from byol_tf import TwoViews
from byol_tf.data.decode import decode_square
from byol_tf.data.folder import find_images
from byol_tf.data.store import decoded_chunks
from byol_tf.seeds import step_seed

STORED = 256  # pixels of a side that files are decoded to, for 224 px views


def prepare(case: dict) -> protocol.Repeated:
    """Views of an array, or of the files in a folder."""
    make = _of_files if "folder" in case else _of_arrays
    return make(TwoViews.byol(case["size"]), case)


def _of_arrays(views, case):
    shape = (case["batch"], case["source"], case["source"], 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    step = iter(range(2**31))

    def piece():
        draw(views, images, next(step))

    return protocol.Repeated(piece, case["batch"], case["seconds"])


def _of_files(views, case):
    """Decodes the files in threads, batch by batch, and draws their views.

    The package decodes a folder once, into a store of squares; this is the
    price of the first epoch, in which both are done.
    """
    root = pathlib.Path(case["folder"])
    paths, batch = [root / path for path in find_images(root)], case["batch"]

    def piece():
        chunks = decoded_chunks(
            paths, lambda path: decode_square(path, STORED, 3), batch
        )
        for step, chunk in enumerate(chunks):
            draw(views, np.stack([pixels for _, pixels in chunk]), step)

    info = {"variant": f"decoded to {STORED} px squares"}
    return protocol.Repeated(piece, len(paths), case["seconds"], info)


def draw(views, images: np.ndarray, step: int) -> None:
    """Both views of a batch, waited for."""
    for view in views(tf.constant(images), seed=step_seed(0, step)):
        view[0, 0, 0, 0].numpy()


if __name__ == "__main__":
    protocol.serve(prepare, "tensorflow", "tensorflow-cpu", "keras", "numpy")
