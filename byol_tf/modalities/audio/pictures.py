"""Draws spectrograms as pictures, for reports, neighbours and maps."""

import numpy as np

from byol_tf.modalities.audio.logmel import FLOOR, mel_matrix

_WINDOW, _RATE = 512, 16_000  # any rate will do, as axes have no numbers
_SIDE = 96  # largest side of a picture in pixels
# From quiet to loud, RGB.
_COLOURS = np.array(
    [(0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)]
)


def spectrogram(samples: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """Draws a sound as uint8 `[bands, frames, 3]`, low tones at the bottom.

    Args:
        samples: int16 `[length]`, at least 1.
        side: largest side in pixels.
    """
    length = max(len(samples), _WINDOW)
    hop = max(_WINDOW // 4, -(-(length - _WINDOW) // max(side - 1, 1)))
    padded = np.zeros(length, np.float32)
    padded[: len(samples)] = samples / np.float32(32_768)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW))) ** 2
    bands = mel_matrix(_RATE, _WINDOW, min(side, 48), 60.0, _RATE / 2)
    return coloured(np.log(power @ bands + FLOOR))


def coloured(frames: np.ndarray) -> np.ndarray:
    """Colours log-mel `[frames, bands]`; returns uint8 `[bands, frames, 3]`."""
    values = np.asarray(frames, np.float64).T[::-1]
    values = values - values.min()
    values = values / max(values.max(), 1e-6)
    scale = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(values, scale, colours) for colours in _COLOURS.T]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)
