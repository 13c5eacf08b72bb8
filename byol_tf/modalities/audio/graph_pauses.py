"""Removes pauses from sounds in a graph, as `data.recordings.pauses` does."""

import tensorflow as tf

from byol_tf.data.recordings import pauses

_FAR = 2**40  # steps, if nothing is loud on that side


def without_pauses(sound: tf.Tensor, rate: int) -> tf.Tensor:
    """Removes the pauses of a sound; keeps all of it if nothing is loud.

    Args:
        sound: float32 `[samples]` in [-1, 1].
        rate: samples per second.

    Returns:
        float32 `[kept]`, see `pauses.without_silence`.
    """
    size = int(rate * pauses.STEP)
    power = _power(sound, size)
    loud = power >= tf.maximum(pauses.QUIET * _quantile(power), pauses.LEAST)
    before, after = _distances(loud)
    loud |= before + after <= round(pauses.PAUSE / pauses.STEP)
    around = int(pauses.AROUND / pauses.STEP)
    is_kept = tf.reduce_min(_distances(loud), axis=0) <= around
    is_kept |= ~tf.reduce_any(is_kept)
    return tf.boolean_mask(sound, tf.repeat(is_kept, size)[: tf.size(sound)])


def _power(sound, size):
    """Returns the mean power of each step, float64; the last may be shorter."""
    count = tf.size(sound)
    steps = -(-count // size)
    padded = tf.pad(sound, [[0, steps * size - count]])
    squares = tf.square(tf.reshape(padded, [steps, size]))
    samples = tf.minimum(size, count - size * tf.range(steps))
    total = tf.reduce_sum(tf.cast(squares, tf.float64), axis=1)
    return total / tf.cast(samples, tf.float64)


def _quantile(power):
    """Returns the quantile `LOUD`, interpolated between the nearest values."""
    ordered = tf.sort(power)
    last = tf.size(power) - 1
    position = pauses.LOUD * tf.cast(last, tf.float64)
    low = tf.cast(position, tf.int32)
    share = position - tf.floor(position)
    high = tf.minimum(low + 1, last)
    return (1 - share) * ordered[low] + share * ordered[high]


def _distances(marks):
    """Returns steps back and on to the nearest mark, int64 `[steps]` each."""
    count = tf.size(marks, tf.int64)
    places = tf.concat([[-_FAR], tf.where(marks)[:, 0], [count + _FAR]], 0)
    steps = tf.range(count)
    before = tf.searchsorted(places, steps, side="right") - 1
    after = tf.searchsorted(places, steps)
    return steps - tf.gather(places, before), tf.gather(places, after) - steps
