"""Pauses in sounds: where long recordings are cut, and what is silence."""

import numpy as np

SCALE = 32_768  # int16 of a sample of 1.0
STEP = 0.01  # seconds in which loudness is measured
PAUSE = 0.3  # seconds of silence that are a pause
AROUND = 0.15  # seconds that are kept before and after what is loud
LONGEST = 12.0  # seconds of a part
QUIET = 1e-3  # of the power of the loud steps: 30 dB below
LOUD = 0.95  # of the steps, from the quietest: where the loud ones begin
LEAST = 1e-8  # of the power of a full scale: what is below is no sound


def loud_steps(sound: np.ndarray, rate: int) -> np.ndarray:
    """Whether each hundredth of a second is loud, bool `[steps]`.

    Not 30 dB below the loud steps of the same sound, which are its loudest
    tenth. Pauses of less than `PAUSE` count as loud.

    Args:
        sound: int16 `[samples]`.
        rate: samples a second.
    """
    power = _power(sound, rate)
    limit = max(QUIET * np.quantile(power, LOUD), LEAST)
    loud = power >= limit
    for start, stop in _runs(~loud):
        inner = start > 0 and stop < len(loud)
        if inner and stop - start < PAUSE / STEP:
            loud[start:stop] = True
    return loud


def parts_of(sound: np.ndarray, rate: int) -> list[tuple[float, float]]:
    """Cuts a recording at its pauses.

    A sound of at most `LONGEST` is one part. In a longer one parts join over
    pauses as long as they stay below it; what goes on for longer is cut where
    it is least loud.

    Args:
        sound: int16 `[samples]`.
        rate: samples a second.

    Returns:
        First and last second of each part, ascending; none of silence.
    """
    seconds = len(sound) / rate
    if seconds <= LONGEST:
        return [(0.0, seconds)]
    most, power = int(LONGEST / STEP), _power(sound, rate)
    joined = []
    for start, stop in _runs(loud_steps(sound, rate)):
        if joined and stop - joined[-1][0] <= most:
            joined[-1] = joined[-1][0], stop
        else:
            joined.extend(_cut(start, stop, power, most))
    return [
        (max(a * STEP - AROUND, 0.0), min(b * STEP + AROUND, seconds))
        for a, b in joined
    ]


def without_silence(sound: np.ndarray, rate: int) -> np.ndarray:
    """A sound without its pauses; all of it if nothing is loud."""
    around = int(AROUND / STEP)
    loud = loud_steps(sound, rate)
    for start, stop in _runs(loud):
        loud[max(start - around, 0) : stop + around] = True
    size = int(rate * STEP)
    kept = np.repeat(loud, size)[: len(sound)]
    return sound[kept] if kept.any() else sound


def _power(sound, rate):
    """Mean power of each step, float64; the last one may be shorter."""
    size = int(rate * STEP)
    squares = np.square(sound.astype(np.float32) / SCALE, dtype=np.float32)
    starts = np.arange(0, len(sound), size)
    counts = np.minimum(size, len(sound) - starts)
    return np.add.reduceat(squares, starts, dtype=np.float64) / counts


def _runs(marks):
    """First and behind the last of each run of True."""
    edges = np.diff(np.concatenate([[0], marks.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _cut(start, stop, power, most):
    """Parts of at most `most` steps, cut where they are least loud."""
    parts = []
    while stop - start > most:
        half = start + most // 2
        place = half + int(np.argmin(power[half : start + most]))
        parts.append((start, place))
        start = place
    return [*parts, (start, stop)]
