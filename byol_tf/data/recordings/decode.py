"""Decodes sound files to samples, in Python."""

import dataclasses
import io
import os
import pathlib

import numpy as np

from byol_tf.data.npy import MAGIC, load_npy
from byol_tf.data.recordings.pauses import SCALE, without_silence
from byol_tf.data.rows import Unreadable
from byol_tf.lines import first_line

EXTENSIONS = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"),
    *(".au", ".caf", ".m4a", ".aac", ".wma"),
)
RATES = (1_000, 384_000)  # Hz
MOST_CHANNELS = 32
MOST_BYTES = 2**30  # largest file
MOST_FRAMES = 2**62  # more stand for an unknown number
LEAST_SECONDS = 0.01
MISSING = "sound files need soundfile and soxr: pip install 'byol-tf[audio]'"
# For these the error would otherwise be an unknown format.
_UNSUPPORTED = {
    b"ftyp": "MPEG-4 (m4a, mp4)",
    b"\x30\x26\xb2\x75": "Windows Media",
    b"\x1aE\xdf\xa3": "Matroska or WebM",
}
# Sizes that stand for "unknown" in WAV files written to a pipe.
_UNKNOWN_SIZE = 0x7FFF_F000


@dataclasses.dataclass(frozen=True)
class Piece(os.PathLike):
    """A part of a file, in seconds."""

    path: str
    start: float
    seconds: float

    def __fspath__(self):
        return self.path


class SoundError(Unreadable):
    """Raised if a sound cannot be decoded; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """How sound files become rows.

    Attributes:
        rate: samples per second of a row; other files are resampled.
        max_seconds: longer files are refused before decoding.
        channel: channel to use, from 0; -1: the mean of all.
        skip_silence: whether to remove pauses.
    """

    rate: int
    max_seconds: float = 600.0
    channel: int = -1
    skip_silence: bool = False

    def __call__(self, data: bytes | str | os.PathLike) -> np.ndarray:
        """Decodes the bytes or the path of a file, or a `Piece` of one.

        Reads WAV, FLAC, OGG Vorbis, Opus, MP3, AIFF, AU and CAF; or NumPy's
        `.npy`, `[samples]` or `[samples, channels]` at `rate`, int16 or float
        in [-1, 1].

        Returns:
            int16 `[samples]`, one channel at `rate`.

        Raises:
            SoundError: if it cannot be decoded, is too long, too short, cut off
                or no sound.
        """
        if isinstance(data, Piece):
            samples, rate = self._open(data.path, data)
        else:
            samples, rate = self._read(as_bytes(data))
        samples = _one_channel(samples, self.channel)
        self._check_length(len(samples) / rate)
        sound = to_int16(_resampled(samples, rate, self.rate))
        return without_silence(sound, self.rate) if self.skip_silence else sound

    def _read(self, data):
        """Returns samples `[length, channels]` and their rate."""
        if data.startswith(MAGIC):
            return _floats(load_npy(data)), self.rate
        _check_head(data)
        return self._open(_Bytes(data))

    def _open(self, source, piece=None):
        try:
            import soundfile
        except ImportError as error:
            raise ValueError(MISSING) from error
        try:
            with soundfile.SoundFile(source) as file:
                rate, frames = file.samplerate, file.frames
                if piece is not None:
                    file.seek(round(piece.start * rate))
                    frames = round(piece.seconds * rate)
                self._check(rate, file.channels, frames)
                # A header may declare less than the file holds.
                max_frames = (
                    frames if piece else int(self.max_seconds * rate) + 1
                )
                samples = file.read(max_frames, dtype="float32", always_2d=True)
                return samples, file.samplerate
        except (RuntimeError, OSError, TypeError, AssertionError) as error:
            reason = first_line(error).rpartition(": ")[2].rstrip(".")
            raise SoundError(f"no sound can be read: {reason}") from error

    def _check(self, rate, channels, frames):
        if not RATES[0] <= rate <= RATES[1]:
            raise SoundError(f"{rate} samples a second")
        if not 1 <= channels <= MOST_CHANNELS:
            raise SoundError(f"{channels} channels")
        if frames > MOST_FRAMES:
            raise SoundError(
                "its length is unknown, as of FLAC from a pipe: write it to a "
                "file again, ffmpeg -i FILE NEW.flac"
            )
        self._check_length(max(frames, 0) / rate, least=0.0)

    def _check_length(self, seconds, least=LEAST_SECONDS):
        if seconds < least:
            raise SoundError(f"{seconds:g} seconds, at least {least:g}")
        if seconds > self.max_seconds:
            raise SoundError(
                f"{seconds:.0f} seconds, more than audio.max_seconds="
                f"{self.max_seconds:g}"
            )


class _Bytes(io.BytesIO):
    """Bytes in which an invalid seek fails instead of raising.

    libsndfile calls it and cannot catch errors, so Python would print each one.
    """

    def seek(self, offset, whence=0):
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1


def as_bytes(data: bytes | str | os.PathLike) -> bytes:
    """Returns the bytes of a file; returns bytes unchanged.

    Raises:
        SoundError: if it cannot be opened, or is too large.
    """
    if isinstance(data, bytes):
        return data
    path = pathlib.Path(data)
    try:
        if not path.is_file():
            raise SoundError("no such file")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise SoundError(f"{size} bytes, more than {MOST_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise SoundError(f"cannot be opened: {error.strerror}") from error


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Converts floats in [-1, 1] to int16; clips values outside.

    Raises:
        SoundError: if a sample is NaN or infinite.
    """
    if not np.isfinite(samples).all():
        raise SoundError("it has NaN or infinite samples")
    return np.clip(np.round(samples * SCALE), -SCALE, SCALE - 1).astype(
        np.int16
    )


def _floats(array):
    """Returns float32 `[length, channels]` from a `.npy` array."""
    if array.ndim not in (1, 2) or array.size == 0:
        raise SoundError(f"shape {array.shape}, not [samples, channels]")
    if array.dtype == np.int16:
        array = array.astype(np.float32) / SCALE
    if array.dtype.kind != "f":
        raise SoundError(f"{array.dtype} samples, not int16 or floats")
    array = array.reshape(len(array), -1).astype(np.float32)
    if array.shape[1] > MOST_CHANNELS:
        raise SoundError(f"{array.shape[1]} channels")
    return array


def _check_head(data):
    """Raises a `SoundError` for what soundfile would misread or not read."""
    if not data:
        raise SoundError("empty file")
    for magic, name in _UNSUPPORTED.items():
        if magic in data[:8]:
            raise SoundError(f"{name} is not supported: convert it to FLAC")
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        _check_wav(data)
    # A byte of padding may be missing.
    if len(data) + 1 < (size := _declared_size(data)) < _UNKNOWN_SIZE:
        raise SoundError(f"cut off: {len(data)} of {size} bytes are there")


def _declared_size(data):
    """Returns the size that a file says it has; 0: it says none."""
    if data[:4] == b"FORM":
        return 8 + int.from_bytes(data[4:8], "big")
    if data[:4] == b".snd":
        return sum(int.from_bytes(data[i : i + 4], "big") for i in (4, 8))
    if data[:4] == b"RF64":
        return 8 + int.from_bytes(data[20:28], "little")
    if data[:4] == b"OggS":
        return _end_of_last_page(data)
    return _size_of_mp3(data)


def _end_of_last_page(data):
    """Returns where the last page of an Ogg file ends; RFC 3533, section 6."""
    page = data.rfind(b"OggS")
    lengths = page + 27
    segments = data[page + 26] if len(data) >= lengths else 0
    return lengths + segments + sum(data[lengths : lengths + segments])


def _size_of_mp3(data):
    """Returns the size in the first frame of an MP3 file, which many have."""
    start = 0
    if data[:3] == b"ID3" and len(data) > 10:
        for byte in data[6:10]:
            start = start * 128 + byte
        start += 10
    frame = data[start : start + 200]
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or tag < 0 or len(frame) < tag + 16:
        return 0
    if not frame[tag + 7] & 2:
        return 0
    position = tag + (12 if frame[tag + 7] & 1 else 8)
    return start + int.from_bytes(frame[position : position + 4], "big")


def _check_wav(data):
    """Checks the chunks, since libsndfile accepts files that are cut off."""
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        is_format = data[position : position + 4] == b"fmt "
        if is_format and not any(data[position + 12 : position + 16]):
            raise SoundError("its header says 0 samples a second")
        if data[position : position + 4] == b"data":
            available = len(data) - position - 8
            if available < size < _UNKNOWN_SIZE:
                raise SoundError(
                    f"cut off: {available} of {size} bytes of samples are there"
                )
            return
        position += 8 + size + size % 2
    raise SoundError("cut off: it has no samples")


def _one_channel(samples, channel):
    if channel < 0:
        return samples.mean(axis=1)
    if channel >= samples.shape[1]:
        raise SoundError(
            f"no channel {channel}: it has {samples.shape[1]}, from 0"
        )
    return samples[:, channel]


def _resampled(samples, rate, target_rate):
    if rate == target_rate:
        return samples
    try:
        import soxr
    except ImportError as error:
        raise ValueError(MISSING) from error
    return soxr.resample(samples, rate, target_rate)
