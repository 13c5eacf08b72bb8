"""Cuts long recordings into rows of some seconds."""

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from byol_tf.data.recordings.decode import MOST_FRAMES, Piece

# A part's name, such as "long.wav@10-20", in seconds.
_PART = re.compile(r"(.+)@([0-9.]+)-([0-9.]+)", re.DOTALL)
_QUIET = 1e-3  # relative to the power of loud windows: -30 dB
_BLOCK = 2**20  # samples read at once


@dataclasses.dataclass(frozen=True)
class Cutting:
    """Cuts files into consecutive windows.

    Attributes:
        seconds: length of a window; the rest of a file is one if it is at least
            half as long.
        loud: whether to leave out silent windows, 30 dB below the loud windows
            of the file. This reads each file once.
    """

    seconds: float
    loud: bool = False

    def __call__(self, file) -> list:
        """Returns the `Piece`s of a file; the file itself if it is shorter.

        A file that cannot be read stays one row, which reports the reason
        when it is decoded.
        """
        if not isinstance(file, str | os.PathLike):
            return [file]
        import soundfile

        try:
            with soundfile.SoundFile(os.fspath(file)) as opened:
                total = opened.frames / opened.samplerate
                if total <= self.seconds or opened.frames > MOST_FRAMES:
                    return [file]
                count = int(total / self.seconds + 0.5)
                starts = self.seconds * np.arange(count)
                if self.loud:
                    starts = starts[self._loud(opened, len(starts))]
        except (RuntimeError, OSError, ZeroDivisionError):
            return [file]
        path = os.fspath(file)
        return [
            Piece(path, start, min(self.seconds, total - start))
            for start in starts.tolist()
        ]

    def _loud(self, opened, count):
        """Returns whether each window is loud, bool `[count]`."""
        size = self.seconds * opened.samplerate  # may be no whole number
        power, place = np.zeros(count + 1), 0
        for block in opened.blocks(_BLOCK, dtype="float32", always_2d=True):
            squares = np.square(block).mean(axis=1)
            windows = np.arange(place, place + len(block)) // size
            windows = np.minimum(windows, count).astype(np.int64)
            power += np.bincount(windows, squares, count + 1)
            place += len(block)
        power = power[:count]
        return power >= max(_QUIET * np.quantile(power, 0.9), 1e-8 * size)


def names_of_parts(
    folder: str | os.PathLike, names: Sequence[str], cut: Callable
) -> list[str]:
    """Returns names of the parts of files, such as "long.wav@10-20".

    Times are in seconds. A file that is one row keeps its name; an entirely
    silent one has all its parts.

    Args:
        folder: folder that the names are relative to.
        names: names of the files.
        cut: see `Cutting`.
    """

    def parts(name):
        file = os.path.join(folder, name)
        found = cut(file) or dataclasses.replace(cut, loud=False)(file)
        return [_name(name, part) for part in found]

    with ThreadPoolExecutor() as pool:
        return [part for found in pool.map(parts, names) for part in found]


def part_of(name: str) -> tuple[str, dict[str, float]]:
    """Returns the file of a part by its name, and `start` and `end` if any."""
    found = _PART.fullmatch(name)
    if found is None:
        return name, {}
    file, *seconds = found.groups()
    return file, dict(zip(("start", "end"), map(float, seconds), strict=True))


def _name(name, part):
    if not isinstance(part, Piece):
        return name
    ends = part.start, part.start + part.seconds
    return "{}@{:.12g}-{:.12g}".format(name, *(round(end, 3) for end in ends))
