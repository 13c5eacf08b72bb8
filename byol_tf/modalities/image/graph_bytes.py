"""Reads numbers and EXIF from bytes of files, inside a TensorFlow graph."""

import tensorflow as tf

from byol_tf.modalities.image.bands import ORIENTATION


def orientation(values, mark):
    """Returns EXIF's orientation after its mark; 1, upright, if missing."""
    start = find(values, mark)
    tiff = tf.concat([values, tf.zeros([16], tf.uint8)], 0)[
        tf.maximum(start, 0) + len(mark) :
    ]
    return tf.cond(start >= 0, lambda: _of_tiff(tiff), lambda: 1)


def find(values, mark):
    """Returns where some bytes first occur, or -1."""
    length = tf.shape(values)[0]
    values = tf.concat([values, tf.zeros([16], tf.uint8)], 0)
    matches = tf.fill([length], True)
    for offset, byte in enumerate(mark):
        matches &= values[offset : length + offset] == byte
    start = tf.argmax(tf.cast(matches, tf.int32), output_type=tf.int32)
    return tf.where(tf.reduce_any(matches), start, -1)


def _of_tiff(tiff):
    """Returns the orientation in the first directory of a TIFF header."""
    number = lambda values, width: tf.where(  # noqa: E731
        tiff[0] == ord("M"),
        number_of(values, width, big=True),
        number_of(values, width),
    )
    # Zeros after the end, so that a wrong offset finds nothing.
    end = tf.shape(tiff, tf.int64)[0]
    tiff = tf.concat([tiff, tf.zeros([16], tf.uint8)], 0)
    start = tf.minimum(number(tiff[4:8], 4)[0], end)
    entries = number(tiff[start : start + 2], 2)[0]
    entries = tf.clip_by_value(entries, 0, (end - start) // 12)
    table = tiff[start + 2 : start + 2 + 12 * entries]
    table = table[: 12 * (tf.size(table) // 12)]
    table = number(tf.reshape(table, [-1]), 2)
    table = tf.reshape(table, [-1, 6])
    values = tf.boolean_mask(table[:, 4], table[:, 0] == ORIENTATION)
    value = tf.cast(tf.concat([values, [1]], 0)[0], tf.int32)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def bytes_of(data, start, length):
    """Returns some bytes as uint8, fewer if the file ends before."""
    return tf.io.decode_raw(tf.strings.substr(data, start, length), tf.uint8)


def number_of(values, width, *, big=False, signed=False):
    """Reads integers of `width` bytes each, as int64."""
    values = tf.reshape(tf.cast(values, tf.int64), [-1, width])
    powers = [256**exponent for exponent in range(width)]
    powers = tf.constant(powers[::-1] if big else powers, tf.int64)
    result = tf.reduce_sum(values * powers, 1)
    if not signed:
        return result
    half = 256**width // 2
    return tf.where(result >= half, result - 2 * half, result)
