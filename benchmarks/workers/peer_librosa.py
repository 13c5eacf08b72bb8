"""Computes log-mel frames by librosa."""

import librosa
import numpy as np

from benchmarks.workers import protocol

RATE = 16_000
OPTIONS = {
    **{"sr": RATE, "n_fft": 1024, "hop_length": 160, "n_mels": 64},
    **{"fmin": 60, "fmax": 7800, "htk": True, "norm": None, "center": False},
}


def prepare(case: dict) -> protocol.Repeated:
    """Computes frames of an array of sounds, as one batch."""
    shape = (case["batch"], int(case["length"] * RATE))
    sounds = np.random.default_rng(0).normal(scale=0.1, size=shape)
    sounds = sounds.astype(np.float32)

    def piece():
        np.log(librosa.feature.melspectrogram(y=sounds, **OPTIONS) + 1e-6)

    units = case["batch"] * case["length"]
    return protocol.Repeated(piece, units, case["seconds"])


if __name__ == "__main__":
    protocol.serve(prepare, "librosa", "numpy")
