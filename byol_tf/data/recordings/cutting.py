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
            with soundfile.SoundFile(os.fspath(file)) as sound_file:
                duration = sound_file.frames / sound_file.samplerate
                if duration <= self.seconds or sound_file.frames > MOST_FRAMES:
                    return [file]
                count = int(duration / self.seconds + 0.5)
                starts = self.seconds * np.arange(count)
                if self.loud:
                    starts = starts[self._is_loud(sound_file, len(starts))]
        except (RuntimeError, OSError, ZeroDivisionError):
            return [file]
        path = os.fspath(file)
        return [
            Piece(path, start, min(self.seconds, duration - start))
            for start in starts.tolist()
        ]

    def _is_loud(self, sound_file, count):
        """Returns whether each window is loud, bool `[count]`."""
        size = self.seconds * sound_file.samplerate  # may be no whole number
        power, position = np.zeros(count + 1), 0
        for block in sound_file.blocks(_BLOCK, dtype="float32", always_2d=True):
            squares = np.square(block).mean(axis=1)
            windows = np.arange(position, position + len(block)) // size
            windows = np.minimum(windows, count).astype(np.int64)
            power += np.bincount(windows, squares, count + 1)
            position += len(block)
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
        pieces = cut(file) or dataclasses.replace(cut, loud=False)(file)
        return [_name(name, part) for part in pieces]

    with ThreadPoolExecutor() as pool:
        return [
            part for part_names in pool.map(parts, names) for part in part_names
        ]


def part_of(name: str) -> tuple[str, dict[str, float]]:
    """Returns the file of a part by its name, and `start` and `end` if any."""
    match = _PART.fullmatch(name)
    if match is None:
        return name, {}
    file, *seconds = match.groups()
    return file, dict(zip(("start", "end"), map(float, seconds), strict=True))


def _name(name, part):
    if not isinstance(part, Piece):
        return name
    ends = part.start, part.start + part.seconds
    return "{}@{:.12g}-{:.12g}".format(name, *(round(end, 3) for end in ends))
