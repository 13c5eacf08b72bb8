"""Random seeds as a pure function of (seed, step, replica), and numbers."""

from collections.abc import Sequence

import tensorflow as tf


def step_seed(
    seed: int, step: tf.Tensor | int, replica: tf.Tensor | int = 0
) -> tf.Tensor:
    """Returns the seed of one step on one replica.

    It depends on nothing else, so an interrupted run that continues at `step`
    draws the same numbers as an uninterrupted one.

    Args:
        seed: the run's seed.
        step: number of batches seen so far.
        replica: index of the replica, so that replicas differ.

    Returns:
        int32 `[2]`, for TensorFlow's stateless random functions.
    """
    base = tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int32)
    base = tf.random.fold_in(base, tf.cast(step, tf.int32), alg="philox")
    return tf.random.fold_in(base, tf.cast(replica, tf.int32), alg="philox")


def fractions(seed: tf.Tensor, shape) -> tf.Tensor:
    """Draws uniform numbers in [0, 1), multiples of 2^-24.

    They are the same with and without XLA, unlike TensorFlow's stateless
    floats; only its random bits are.

    Args:
        seed: int32 `[2]`.
        shape: shape of the result, integers or an int32 tensor.

    Returns:
        float32 tensor of the given shape.
    """
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    bits = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24


def named(names: Sequence[str], numbers: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the columns of numbers `[batch, n]`, `[batch]` each, by name."""
    return dict(zip(names, tf.unstack(numbers, axis=1), strict=True))
