"""Runs the same encoder in PyTorch, with other weights."""

import pathlib

import numpy as np
import torch

from benchmarks.workers import protocol
from benchmarks.workers.peer_torch import PRECISIONS, autocast, encoder


def prepare(case: dict) -> protocol.Repeated:
    """Chooses the fastest of both precisions, eager and compiled."""
    images = np.load(pathlib.Path(case["folder"]) / "images.npy")
    variants = {}
    for name, precision in PRECISIONS.items():
        variants[f"{name}, eager"] = _maker(case, images, precision, False)
        if case["compile"]:
            variants[f"{name}, compiled"] = _maker(
                case, images, precision, True
            )
    piece, info = protocol.fastest(variants)
    info["variant"] += ", channels_last"
    return protocol.Repeated(piece, len(images), case["seconds"], info)


def _maker(case, images, precision, compiled):
    def make():
        model = encoder(case["encoder"])[0].eval()
        model = model.to(memory_format=torch.channels_last)
        if compiled:
            model = torch.compile(model)

        @torch.inference_mode()
        def piece():
            batch = torch.from_numpy(images).permute(0, 3, 1, 2)
            batch = (batch.float() / 255 - 0.5) / 0.25
            with autocast(precision):
                model(batch).float().numpy()

        return piece

    return make


if __name__ == "__main__":
    torch.set_num_threads(protocol.threads())
    protocol.serve(prepare, "torch")
