"""Computes log-mel frames by nnAudio, as BYOL-A v2 does."""

import numpy as np
import torch
from nnAudio.features import MelSpectrogram

from benchmarks.workers import protocol

RATE = 16_000


def prepare(case: dict) -> protocol.Repeated:
    """Computes frames of a tensor of sounds."""
    shape = (case["batch"], int(case["length"] * RATE))
    sounds = np.random.default_rng(0).normal(scale=0.1, size=shape)
    sounds = torch.tensor(sounds, dtype=torch.float32)
    layer = MelSpectrogram(
        **{"sr": RATE, "n_fft": 1024, "win_length": 1024, "hop_length": 160},
        **{"n_mels": 64, "fmin": 60, "fmax": 7800, "center": False},
        **{"htk": True, "norm": None, "power": 2, "verbose": False},
    )

    def piece():
        with torch.no_grad():
            (layer(sounds) + 1e-6).log()

    units = case["batch"] * case["length"]
    return protocol.Repeated(piece, units, case["seconds"])


if __name__ == "__main__":
    protocol.serve(prepare, "torch", "nnAudio", "numpy")
