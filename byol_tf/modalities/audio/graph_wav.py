"""Decodes WAV files in a graph, for models that are served without Python.

`tf.audio.decode_wav` reads only 16 bits, refuses usual chunks, and fails a
whole batch for one bad file.
"""

from typing import NamedTuple

import tensorflow as tf

from byol_tf.data.recordings.decode import LEAST_SECONDS, RATES
from byol_tf.modalities.audio.graph_pauses import without_pauses
from byol_tf.modalities.audio.logmel import places
from byol_tf.modalities.signature import OK

PCM, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE  # codes of formats
# Code and bits that are read.
FORMS = (*((PCM, bits) for bits in (8, 16, 24, 32)), (FLOATS, 32), (FLOATS, 64))
_UNKNOWN_SIZE = 0x7FFF_F000  # in files written to a pipe
_TAPS = 16  # zero crossings on either side of a resampling filter
_ROLL_OFF = 0.94  # cutoff of the filter, as a fraction of half the lower rate
_BETA = 9.0  # of its Kaiser window
_PART = 16_384  # samples resampled at a time


class _Head(NamedTuple):
    """What the chunks of a file say; -1 where they say nothing."""

    code: tf.Tensor
    channels: tf.Tensor
    rate: tf.Tensor
    bits: tf.Tensor
    first: tf.Tensor  # first byte of the samples
    size: tf.Tensor  # size of the samples in bytes


def decode_wav(
    files: tf.Tensor,
    rate: int,
    samples: int | None,
    max_seconds: float,
    channel: int,
    skip_silence: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes WAV files, PCM of 8 to 32 bits or floats, to middle windows.

    Args:
        files: string `[n]`.
        rate: samples per second of the result.
        samples: samples per window, see `logmel.places`; None: whole sounds.
        max_seconds: longer files are refused.
        channel: index of the channel; -1: the mean of all.
        skip_silence: whether to remove pauses first.

    Returns:
        float32 `[n, samples]`, zeros where a file cannot be read, ragged for
        whole sounds; and string `[n]`, `OK` or the reason.
    """
    shape, silence = [samples], tf.zeros([samples or 1])

    def decode_one(data):
        head = _walk(data)
        status = _status(data, head, max_seconds, channel)
        window, status = tf.cond(
            status == OK,
            lambda: _window(data, head, rate, samples, channel, skip_silence),
            lambda: (silence, status),
        )
        return tf.ensure_shape(window, shape), status

    spec = tf.TensorSpec if samples else tf.RaggedTensorSpec
    specs = (spec(shape, tf.float32), tf.TensorSpec([], tf.string))
    return tf.map_fn(decode_one, files, fn_output_signature=specs)


def _number(data, place, count):
    """Reads an unsigned little-endian number; -1 beyond the end."""

    def read():
        raw = tf.io.decode_raw(tf.strings.substr(data, place, count), "uint8")
        weights = tf.constant([256**i for i in range(count)], tf.int64)
        return tf.reduce_sum(tf.cast(raw, tf.int64) * weights)

    is_inside = tf.cast(tf.strings.length(data), tf.int64) >= place + count
    return tf.cond(is_inside, read, lambda: tf.constant(-1, tf.int64))


def _walk(data):
    """Reads chunk after chunk until it finds the samples."""
    total = tf.cast(tf.strings.length(data), tf.int64)
    head = tf.strings.join([tf.strings.substr(data, 0, 12), b"\0" * 12])
    is_wav = tf.strings.substr(head, 0, 4) == b"RIFF"
    is_wav &= tf.strings.substr(head, 8, 4) == b"WAVE"
    none = tf.constant(-1, tf.int64)

    def goes_on(place, head):
        return (head.first < 0) & (place + 8 <= total)

    def step(place, head):
        name = tf.strings.substr(data, place, 4)
        size = _number(data, place + 4, 4)
        body = place + 8
        head = tf.cond(
            name == b"fmt ", lambda: _format(data, body, head), lambda: head
        )
        found = name == b"data"
        head = head._replace(
            first=tf.where(found, body, none), size=tf.where(found, size, none)
        )
        return body + size + size % 2, head

    # Not searched unless it is a WAV file.
    start = tf.where(is_wav & (total >= 12), tf.constant(12, tf.int64), total)
    return tf.while_loop(goes_on, step, (start, _Head(*[none] * 6)))[1]


def _format(data, body, head):
    code = _number(data, body, 2)
    # In the extensible form the code comes last.
    code = tf.where(
        tf.equal(code, EXTENSIBLE), _number(data, body + 24, 2), code
    )
    places = ((2, 2), (4, 4), (14, 2))
    fields = (_number(data, body + at, count) for at, count in places)
    return _Head(code, *fields, head.first, head.size)


def _status(data, head, max_seconds, channel):
    """Returns `OK`, or the first reason to refuse a file."""
    total = tf.cast(tf.strings.length(data), tf.int64)
    available = total - head.first
    declared = tf.where(head.size >= _UNKNOWN_SIZE, available, head.size)
    width = tf.maximum(head.bits // 8 * head.channels, 1)
    seconds = declared / (width * tf.maximum(head.rate, 1))
    form = tf.stack([head.code, head.bits])
    matches = tf.reduce_all(tf.constant(FORMS, tf.int64) == form, axis=1)
    status = tf.constant(OK)
    for fails, reason in (
        (seconds < LEAST_SECONDS, "too short"),
        (seconds > max_seconds, f"longer than {max_seconds:g} seconds"),
        (head.channels <= max(channel, 0), "it lacks the channel"),
        ((head.rate < RATES[0]) | (head.rate > RATES[1]), "its sample rate"),
        (~tf.reduce_any(matches), "WAV, but not PCM or floats"),
        (declared > available, "cut off"),
        (head.first < 0, "not a WAV file"),
    ):
        status = tf.where(fails, reason, status)
    return status


def _window(data, head, rate, samples, channel, skip_silence):
    """Returns the middle window at `rate`, and a status."""
    frame = head.bits // 8 * head.channels
    available = tf.cast(tf.strings.length(data), tf.int64) - head.first
    size = tf.minimum(available, tf.where(head.size < 0, available, head.size))
    length = size // frame
    ratio = tf.cast(head.rate, tf.float64) / rate
    count = tf.cast(tf.round(tf.cast(length, tf.float64) / ratio), tf.int64)
    count = tf.maximum(count, 1)
    raw = tf.strings.substr(data, head.first, length * frame)
    values = tf.reshape(_values(raw, head), [length, head.channels])
    mono = tf.reduce_mean(values, axis=1) if channel < 0 else values[:, channel]
    is_finite = tf.reduce_all(tf.math.is_finite(mono))
    is_whole = skip_silence or not samples
    positions = tf.range(count) if is_whole else places(count[None], samples)[0]
    window = tf.cond(
        tf.equal(head.rate, rate),
        lambda: _at(mono, positions),
        lambda: _resampled(mono, ratio, positions),
    )
    window = tf.clip_by_value(window, -1.0, 32_767 / 32_768)
    if skip_silence:
        window = without_pauses(window, rate)
        window = _at(window, places(tf.shape(window), samples)[0])
    window = tf.where(is_finite, window, 0.0)
    return window, tf.where(is_finite, OK, "it has NaN or infinite samples")


def _values(raw, head):
    """Converts raw samples of any of the formats to float32."""

    def of(dtype, scale):
        return lambda: tf.cast(tf.io.decode_raw(raw, dtype), tf.float32) / scale

    def bytes_24():
        triples = tf.reshape(tf.io.decode_raw(raw, "uint8"), [-1, 3])
        upper = tf.bitcast(tf.pad(triples, [[0, 0], [1, 0]]), tf.int32)
        return tf.cast(upper, tf.float32) / 2.0**31

    floats = tf.equal(head.code, FLOATS)
    cases = [
        (floats & tf.equal(head.bits, 32), of("float32", 1.0)),
        (floats & tf.equal(head.bits, 64), of("float64", 1.0)),
        (tf.equal(head.bits, 8), lambda: of("uint8", 128.0)() - 1.0),
        (tf.equal(head.bits, 24), bytes_24),
        (tf.equal(head.bits, 32), of("int32", 2.0**31)),
    ]
    return tf.case(cases, default=of("int16", 2.0**15))


def _at(values, positions):
    """Returns the samples at some positions, zero before the first."""
    gathered = tf.gather(values, tf.maximum(positions, 0))
    return tf.where(positions >= 0, gathered, 0.0)


def _resampled(values, ratio, positions):
    """Resamples at some positions, part by part."""
    count = tf.size(positions)
    padded = tf.pad(positions, [[0, -count % _PART]], constant_values=-1)
    parts = tf.map_fn(
        lambda part: _sinc(values, ratio, part),
        tf.reshape(padded, [-1, _PART]),
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([_PART], tf.float32),
    )
    return tf.reshape(parts, [-1])[:count]


def _sinc(values, ratio, positions):
    """Computes samples at some positions by a windowed sinc, zero for -1.

    Works for any ratio of rates, and computes only these samples.
    """
    source = tf.cast(tf.maximum(positions, 0), tf.float64) * ratio
    cutoff = tf.cast(_ROLL_OFF / tf.maximum(ratio, 1.0), tf.float32)
    reach = tf.cast(tf.math.ceil(_TAPS / cutoff), tf.int64)
    centre = tf.cast(tf.floor(source), tf.int64)
    taps = tf.range(-reach, reach + 1)
    index = centre[:, None] + taps
    offset = tf.cast(tf.cast(index, tf.float64) - source[:, None], tf.float32)
    width = tf.cast(reach, tf.float32) + 1.0
    shape = tf.sqrt(tf.maximum(1 - tf.square(offset / width), 0.0))
    window = tf.math.bessel_i0(_BETA * shape) / tf.math.bessel_i0(_BETA)
    x = 3.141592653589793 * cutoff * offset
    sinc = tf.where(tf.abs(x) < 1e-6, 1.0, tf.sin(x) / tf.where(x == 0, 1.0, x))
    index = tf.where(index < tf.size(values, tf.int64), index, -1)
    weighted = _at(values, index) * sinc * window * cutoff
    window = tf.reduce_sum(weighted, axis=1)
    return tf.where(positions >= 0, window, 0.0)
