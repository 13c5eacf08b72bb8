"""Long recordings as many rows: windows of some seconds."""

import dataclasses
import os

import numpy as np

from byol_tf.data.recordings.decode import Piece

_QUIET = 1e-3  # of the power of the loud windows: 30 dB below
_BLOCK = 2**20  # samples that are read at once


@dataclasses.dataclass(frozen=True)
class Cutting:
    """Cuts files into windows that follow each other.

    Attributes:
        seconds: of a window; the rest of a file is one if it is half as long.
        loud: whether windows without anything loud are left out, 30 dB below
            the loud windows of the file. It takes one reading of each file.
    """

    seconds: float
    loud: bool = False

    def __call__(self, file) -> list:
        """Gives the `Piece`s of a file; the file itself if it is shorter.

        What cannot be opened stays one row, which says why when it is decoded.
        """
        if not isinstance(file, str | os.PathLike):
            return [file]
        import soundfile

        try:
            with soundfile.SoundFile(os.fspath(file)) as opened:
                total = opened.frames / opened.samplerate
                starts = np.arange(0, total - self.seconds / 2, self.seconds)
                if total <= self.seconds or not len(starts):
                    return [file]
                if self.loud:
                    starts = starts[self._loud(opened, len(starts))]
        except (RuntimeError, OSError, ZeroDivisionError):
            return [file]
        return [
            Piece(
                os.fspath(file), float(start), min(self.seconds, total - start)
            )
            for start in starts
        ]

    def _loud(self, opened, count):
        """Whether there is something in each window, bool `[count]`."""
        size = int(self.seconds * opened.samplerate)
        power, place = np.zeros(count + 1), 0
        for block in opened.blocks(_BLOCK, dtype="float32", always_2d=True):
            squares = np.square(block).mean(axis=1)
            windows = np.arange(place, place + len(block)) // size
            windows = np.minimum(windows, count)
            power += np.bincount(windows, squares, count + 1)
            place += len(block)
        power = power[:count]
        return power >= max(_QUIET * np.quantile(power, 0.9), 1e-8 * size)
