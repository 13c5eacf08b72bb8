"""Checks the representations of workers that embed."""

import pathlib
from collections.abc import Callable

import numpy as np

from benchmarks.workers import protocol

# Relative to the largest value: bfloat16 has 8 bits, and each layer rounds.
TOLERANCE = 0.05


class Embedding(protocol.Repeated):
    """Repeats an embedding, and checks its representations.

    Args:
        case: settings, with `folder` and `seconds`.
        variants: by name, functions that make `embed`, from uint8 images to
            float32 `[batch, features]`; the fastest is measured.
    """

    def __init__(self, case: dict, variants: dict[str, Callable]):
        folder = pathlib.Path(case["folder"])
        images = np.load(folder / "images.npy")
        self.expected = np.load(folder / "expected.npy")

        def piece_of(make):
            embed = make()

            def piece():
                self.vectors = embed(images)

            return piece

        makers = {
            name: lambda make=make: piece_of(make)
            for name, make in variants.items()
        }
        piece, info = protocol.fastest(makers)
        super().__init__(piece, len(images), case["seconds"], info)

    def finish(self) -> dict:
        """Returns the difference, and `wrong` if it is too large."""
        scale = np.abs(self.expected).max()
        difference = float(np.abs(self.vectors - self.expected).max() / scale)
        facts = {"difference": difference}
        if not difference < TOLERANCE:
            facts["wrong"] = f"it differs by {difference:.2g} of the largest"
        return facts
