"""Finds pauses in sounds, to cut long recordings and remove silence."""

import numpy as np

SCALE = 32_768  # int16 value of 1.0
STEP = 0.01  # seconds per measurement of loudness
PAUSE = 0.3  # shortest pause in seconds
AROUND = 0.15  # seconds kept before and after loud parts
LONGEST = 12.0  # longest part in seconds
QUIET = 1e-3  # relative to the power of loud steps: -30 dB
LOUD = 0.95  # quantile of the steps where the loud ones begin
LEAST = 1e-8  # relative to full-scale power; quieter is no sound


def loud_steps(sound: np.ndarray, rate: int) -> np.ndarray:
    """Returns whether each hundredth of a second is loud, bool `[steps]`.

    Loud means less than 30 dB below the level that a twentieth of the sound's
    steps exceed. Pauses between loud steps that are shorter than `PAUSE` count
    as loud.

    Args:
        sound: int16 `[samples]`.
        rate: samples per second.
    """
    power = _power(sound, rate)
    limit = max(QUIET * np.quantile(power, LOUD), LEAST)
    loud = power >= limit
    for start, stop in _runs(~loud):
        is_inner = start > 0 and stop < len(loud)
        if is_inner and stop - start < PAUSE / STEP:
            loud[start:stop] = True
    return loud


def parts_of(sound: np.ndarray, rate: int) -> list[tuple[float, float]]:
    """Cuts a recording at its pauses.

    A sound of at most `LONGEST` is one part. In a longer one, parts are joined
    over pauses while they stay below it; longer parts are cut where they are
    quietest.

    Args:
        sound: int16 `[samples]`.
        rate: samples per second.

    Returns:
        First and last second of each part, ascending; none for silence.
    """
    seconds = len(sound) / rate
    if seconds <= LONGEST:
        return [(0.0, seconds)]
    max_steps, power = int(LONGEST / STEP), _power(sound, rate)
    parts = []
    for start, stop in _runs(loud_steps(sound, rate)):
        if parts and stop - parts[-1][0] <= max_steps:
            parts[-1] = parts[-1][0], stop
        else:
            parts.extend(_cut(start, stop, power, max_steps))
    step = int(rate * STEP) / rate  # of whole samples
    return [
        (max(a * step - AROUND, 0.0), min(b * step + AROUND, seconds))
        for a, b in parts
    ]


def without_silence(sound: np.ndarray, rate: int) -> np.ndarray:
    """Returns a sound without its pauses; all of it if nothing is loud."""
    around = int(AROUND / STEP)
    loud = loud_steps(sound, rate)
    for start, stop in _runs(loud):
        loud[max(start - around, 0) : stop + around] = True
    size = int(rate * STEP)
    is_loud = np.repeat(loud, size)[: len(sound)]
    return sound[is_loud] if is_loud.any() else sound


def _power(sound, rate):
    """Returns the mean power of each step, float64; the last may be shorter."""
    size = int(rate * STEP)
    squares = np.square(sound.astype(np.float32) / SCALE, dtype=np.float32)
    starts = np.arange(0, len(sound), size)
    counts = np.minimum(size, len(sound) - starts)
    return np.add.reduceat(squares, starts, dtype=np.float64) / counts


def _runs(flags):
    """Returns start and end of each run of True."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _cut(start, stop, power, max_steps):
    """Cuts into parts of at most `max_steps` steps, where they are quietest."""
    parts = []
    while stop - start > max_steps:
        half = start + max_steps // 2
        place = half + int(np.argmin(power[half : start + max_steps]))
        parts.append((start, place))
        start = place
    return [*parts, (start, stop)]
