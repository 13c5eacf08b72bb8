"""Embedding workers are held to the representations that are expected."""

import pathlib
from collections.abc import Callable

import numpy as np

from benchmarks.workers import protocol

# Of the largest value: bfloat16 keeps 8 bits, and rounds in every layer.
TOLERANCE = 0.05


class Embedding(protocol.Repeated):
    """Repeats `embed`, and tells if its representations are wrong.

    Args:
        case: with `folder` and `seconds`.
        variants: by name, what makes `embed`, from uint8 images to float32
            `[batch, features]`; the fastest competes.
    """

    def __init__(self, case: dict, variants: dict[str, Callable]):
        folder = pathlib.Path(case["folder"])
        images = np.load(folder / "images.npy")
        self.expected = np.load(folder / "expected.npy")

        def piece_of(make):
            embed = make()

            def piece():
                self.found = embed(images)

            return piece

        makers = {
            name: lambda make=make: piece_of(make)
            for name, make in variants.items()
        }
        piece, info = protocol.fastest(makers)
        super().__init__(piece, len(images), case["seconds"], info)

    def finish(self) -> dict:
        """The difference, and why it does not count if it is too large."""
        scale = np.abs(self.expected).max()
        difference = float(np.abs(self.found - self.expected).max() / scale)
        told = {"difference": difference}
        if not difference < TOLERANCE:
            told["wrong"] = f"it differs by {difference:.2g} of the largest"
        return told
