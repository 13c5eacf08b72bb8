"""Runs a lightly script until it is stopped after its second step.

    python -m benchmarks.workers.peer_startup --images=FILE --workdir=DIR

Like such scripts, it has no accuracy before the first step, and no picture.
"""

import argparse
import json
import pathlib
import time

from benchmarks.workers.marks import Marks


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--images", required=True)
    flags.add_argument("--batch", type=int, default=256)
    flags.add_argument("--workdir", type=pathlib.Path, required=True)
    options = flags.parse_args()
    marks = Marks(options.workdir)
    import torch

    from benchmarks.workers import peer_pretrain, protocol

    torch.set_num_threads(protocol.threads())
    marks.reached("imports")
    images = load(options.images)
    loader = peer_pretrain.loader_of(images, options.batch, images.shape[1])
    marks.reached("data")
    networks = peer_pretrain.Networks("slim")
    marks.reached("built")
    begin = time.perf_counter()
    for number, views in enumerate(loader, 1):
        networks.step(*views, 0.0, number)
        line = {"loss": 0.0, "seconds": time.perf_counter() - begin}
        with open(options.workdir / "metrics.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")


def load(path: str):
    """Loads the training images of an `.npz`, gray ones as three channels."""
    import numpy as np

    with np.load(path) as file:
        key = "x_train" if "x_train" in file else "train_images"
        images = file[key]
    if images.ndim == 3:
        images = images[..., None]
    return np.repeat(images, 3, -1) if images.shape[-1] == 1 else images


if __name__ == "__main__":
    main()
