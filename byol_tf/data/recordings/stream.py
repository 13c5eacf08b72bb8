"""Reads a stream of samples, such as those of a microphone."""

from collections.abc import Iterator

import numpy as np
from absl import logging

from byol_tf.checks import check_number
from byol_tf.data.recordings.decode import LEAST_SECONDS, MISSING, RATES

_SECONDS = 0.1  # seconds per block
_FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"FORM")  # first bytes of files


def blocks_of(source, rate: int, target_rate: int) -> Iterator[np.ndarray]:
    """Reads 16-bit little-endian mono samples until they end.

    Args:
        source: binary file, such as `sys.stdin.buffer`.
        rate: samples per second of the source.
        target_rate: samples per second of the result.

    Yields:
        int16 `[samples]`, about a tenth of a second each.

    Raises:
        ValueError: if a rate is invalid, soxr is missing, next to nothing
            arrives, or a file arrives instead of samples.
    """
    check_number("rate", rate, *RATES)
    resample = _resampler(rate, target_rate)
    leftover, has_begun, samples = b"", False, 0
    while data := source.read(2 * int(_SECONDS * rate)):
        data = leftover + data
        if not has_begun:
            _check_raw(data, rate)
        has_begun = True
        size = len(data) // 2 * 2
        leftover = data[size:]
        samples += size // 2
        yield resample(np.frombuffer(data[:size], "<i2"), False)
    if samples < LEAST_SECONDS * rate:
        raise ValueError(
            f"the stream ended after {2 * samples + len(leftover)} bytes, less "
            f"than {LEAST_SECONDS:g} seconds; send 16-bit mono samples"
        )
    if leftover:
        logging.warning(
            "The stream ended in the middle of a 16-bit sample; its last byte "
            "is left out. Check that it is 16-bit mono, not 8 or 24-bit."
        )
    yield resample(np.zeros(0, np.int16), True)


def _check_raw(data, rate):
    """Raises a ValueError for a file where samples should come."""
    for magic in _FILES:
        if data.startswith(magic):
            raise ValueError(
                f"the stream is a file ({magic.decode()}), not samples; name "
                "its path, or send 16-bit samples: "
                f"ffmpeg -i FILE -f s16le -ac 1 -ar {rate} -"
            )


def _resampler(rate, target_rate):
    if rate == target_rate:
        return lambda block, last: block
    try:
        import soxr
    except ImportError as error:
        raise ValueError(MISSING) from error
    stream = soxr.ResampleStream(rate, target_rate, 1, dtype="int16")
    return lambda block, last: stream.resample_chunk(block, last=last)
