"""Inputs of sound encoders, files and waveforms, and the text of exports."""

import io
import wave
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.data.recordings.cutting import Cutting
from byol_tf.data.recordings.decode import SCALE, Reading
from byol_tf.modalities.audio.graph_wav import decode_wav
from byol_tf.modalities.audio.logmel import (
    LENGTH,
    LogMel,
    windows,
    with_lengths,
)
from byol_tf.modalities.audio.whole import WholeLogMel
from byol_tf.modalities.contract import Card
from byol_tf.modalities.signature import DEFAULT, OK, Signature

SOUNDS, FILES = "sounds", "bytes"
# Keys of sizes: whether to remove pauses, and seconds per row of a file.
SKIPS, WINDOW = "skip_silence", "window_seconds"
FORMS = ("saved_model", "graph")
_PAUSES = (
    "\n- It was trained on sounds without pauses. Those of WAV files are taken "
    "out here as well; waveforms are taken as they are."
)
NOT_FINITE = "no samples, or NaN or infinite ones"
_FILES = "string [n], the bytes of WAV files of any rate: PCM or floats"


def sizes(shape: Sequence[int | None], section=None, preprocessor=None) -> dict:
    """Returns the sizes for decoding and preprocessing."""
    fields = {}
    if preprocessor is not None:
        fields |= {"rate": preprocessor.rate, "samples": preprocessor.samples}
    if section is not None:
        fields |= {
            "rate": section.audio.rate,
            "max_seconds": float(section.audio.max_seconds),
            "channel": section.audio.channel,
            SKIPS: bool(section.audio.skip_silence),
            WINDOW: float(section.data.window_seconds),
        }
    if isinstance(preprocessor, WholeLogMel):
        fields |= {SKIPS: False, WINDOW: 0.0}
    return fields


def decode_row(data, sizes: Mapping) -> np.ndarray:
    """Decodes the path or bytes of a file to int16 `[length]`."""
    keys = "rate", "max_seconds", "channel"
    skips = sizes.get(SKIPS, False)
    return Reading(*(sizes[key] for key in keys), skip_silence=skips)(data)


def origin(data) -> dict[str, int]:
    """Returns nothing: predictions are for the whole sound."""
    return {}


def inputs(
    preprocessor: LogMel, sizes: Mapping, form: str
) -> dict[str, Signature]:
    """Returns the signatures of an exported encoder of sounds.

    Args:
        preprocessor: makes the frames that the model takes.
        sizes: see `sizes`.
        form: "saved_model": WAV files, and waveforms of any length; "graph":
            waveforms of one window. Models of whole sounds take WAV files, or
            waveforms of any length.
    """
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {FORMS}. Received: {form!r}")
    whole = isinstance(preprocessor, WholeLogMel)
    window = preprocessor.samples
    if form == "graph":
        # Fourier transforms are not in ONNX; the other form is equal.
        prepare = preprocessor.changed(form="dft")
        if whole:
            return {SOUNDS: _whole_waveforms(prepare)}
        return {SOUNDS: _waveforms(prepare, window, window)}
    files = {DEFAULT: _of_files(preprocessor, sizes, whole)}
    if whole:
        return files
    return {**files, SOUNDS: _waveforms(preprocessor, None, window)}


def card(about: Mapping) -> Card:
    """Describes how to call an exported encoder of sounds, and its limits."""
    rate, samples = (about["sizes"][key] for key in ("rate", "samples"))
    seconds = f"{samples / rate:g} seconds"
    return Card(
        "sound",
        f"```python\n{_example(about, rate, samples)}\n```",
        f"- It takes one channel at {rate} samples a second, float32 in "
        f"[-1, 1], and hears {seconds}: the middle of a longer sound.\n"
        "- WAV files may have any sample rate; other formats are refused. An "
        "unreadable file fails alone: its row is NaN and its status says why."
        + (_PAUSES if about["sizes"].get(SKIPS) else ""),
    )


def _example(about, rate, samples):
    if about["format"] == "saved_model":
        return (
            "import tensorflow as tf\n\n"
            'call = tf.saved_model.load("1").signatures["serving_default"]\n'
            'call(bytes=tf.constant([open("a.wav", "rb").read()]))'
        )
    lines = (
        "import soundfile\n\n"
        f'sounds, rate = soundfile.read("a.wav", frames={samples}, '
        f'dtype="float32")\n'
        f"assert rate == {rate} and sounds.shape == ({samples},)\n"
    )
    file = next(iter(about["signatures"]), "encoder.onnx")
    if about["format"] == "litert":
        return (
            f"from ai_edge_litert.interpreter import Interpreter\n{lines}"
            f'call = Interpreter("{file}").get_signature_runner()\n'
            "call(sounds=sounds[None])"
        )
    return (
        f"import onnxruntime\n{lines}"
        f'session = onnxruntime.InferenceSession("{file}")\n'
        'session.run(None, {"sounds": sounds[None]})'
    )


def _waveforms(prepare, length, window):
    """Makes a signature of float waveforms."""
    words = (
        f"float32 [n, {length or 'length'}] in [-1, 1], at {prepare.rate} "
        "samples a second"
    )

    def read(sounds):
        if length is None:  # without samples, one that is not finite
            padding = tf.cast(tf.shape(sounds)[1] < 1, tf.int32)
            sounds = tf.pad(sounds, [[0, 0], [0, padding]], "CONSTANT", np.nan)
        valid = tf.reduce_all(tf.abs(sounds) < 3e38, axis=1)  # false for NaN
        batch = prepare(tf.where(valid[:, None], sounds, 0.0))
        batch = tf.where(valid[:, None, None], batch, float("nan"))
        return batch, valid if length else tf.where(valid, OK, NOT_FINITE)

    return Signature(
        {SOUNDS: tf.TensorSpec([None, length], tf.float32, SOUNDS)},
        read,
        {SOUNDS: words},
        of_rows=lambda rows: middles(rows, window),
        has_status=True,
    )


def _of_files(preprocessor, sizes, whole):
    """Makes a signature of WAV files."""
    rate, window = preprocessor.rate, None if whole else preprocessor.samples
    skips = sizes.get(SKIPS, False)
    limits = float(sizes["max_seconds"]), int(sizes["channel"]), skips

    def read(files):
        sounds, status = decode_wav(files, rate, window, *limits)
        if whole:
            lengths = tf.cast(sounds.row_lengths(), tf.int32)
            sounds = {SOUNDS: sounds.to_tensor(), LENGTH: lengths}
        return preprocessor(sounds), status

    return Signature(
        {FILES: tf.TensorSpec([None], tf.string, FILES)},
        read,
        {FILES: _FILES},
        # Of rows without pauses some are taken out again, of quieter ones.
        of_rows=None if skips else lambda rows: [wav(r, rate) for r in rows],
        has_status=True,
    )


def _whole_waveforms(prepare):
    """Makes a signature of float waveforms of several lengths."""

    def read(sounds):
        # By `is_nan` alone: tf2onnx makes products of other such choices, and
        # NaN times zero is NaN.
        behind = tf.math.is_nan(sounds)
        lengths = tf.reduce_sum(tf.cast(~behind, tf.int32), axis=1)
        # Zero comes first, for the same reason.
        samples = tf.where(behind, 0.0, sounds)
        # Samples behind NaN: that was not the end.
        inside = tf.cast(behind[:, :-1] & ~behind[:, 1:], tf.int32)
        valid = tf.reduce_max(tf.abs(samples), axis=1) < 3e38
        valid &= (lengths > 0) & (tf.reduce_sum(inside, axis=1) < 1)
        return prepare.of_sounds(samples, tf.maximum(lengths, 1)), valid

    words = (
        f"float32 [n, length] in [-1, 1], at {prepare.rate} samples a second, "
        "NaN behind the end of shorter sounds"
    )
    return Signature(
        {SOUNDS: tf.TensorSpec([None, None], tf.float32, SOUNDS)},
        read,
        {SOUNDS: words},
        of_rows=_until_nan,
    )


def _until_nan(rows):
    """Pads int16 rows with NaN to float32 `[n, longest]`."""
    padded = np.full((len(rows), max(map(len, rows))), np.nan, np.float32)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = np.float32(row) / np.float32(SCALE)
    return padded


def middles(rows: Sequence[np.ndarray], samples: int) -> np.ndarray:
    """Cuts the middle windows of sounds, for the preprocessor.

    Args:
        rows: int16 `[length]` each.
        samples: samples per window.

    Returns:
        float32 `[n, samples]` in [-1, 1].
    """
    batches = (with_lengths(np.asarray(row)[None]) for row in rows)
    middle_windows = [windows(*batch, samples)[0] for batch in batches]
    return np.float32(np.stack(middle_windows)) / np.float32(SCALE)


def wav(row: np.ndarray, rate: int) -> bytes:
    """Encodes int16 `[length]` as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        writer.writeframes(np.asarray(row, "<i2").tobytes())
    return file.getvalue()


def cut(sizes: Mapping) -> Cutting | None:
    """Returns how files become rows of some seconds; None for one per file."""
    seconds = sizes.get(WINDOW)
    return Cutting(seconds, sizes.get(SKIPS, False)) if seconds else None
