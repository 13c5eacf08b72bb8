"""Random seeds as a pure function of (seed, step, replica), and draws."""

import tensorflow as tf


def step_seed(
    seed: int, step: tf.Tensor | int, replica: tf.Tensor | int = 0
) -> tf.Tensor:
    """Seed of the random draws of one step on one replica.

    Nothing else enters, so an interrupted run that continues at `step` draws
    what the uninterrupted one would have drawn.

    Args:
        seed: the run's seed.
        step: number of batches seen so far.
        replica: index of the replica, so that replicas draw differently.

    Returns:
        int32 `[2]`, for TensorFlow's stateless random functions.
    """
    base = tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int32)
    base = tf.random.fold_in(base, tf.cast(step, tf.int32), alg="philox")
    return tf.random.fold_in(base, tf.cast(replica, tf.int32), alg="philox")


def fractions(seed: tf.Tensor, shape) -> tf.Tensor:
    """Uniform draws in [0, 1), multiples of 2^-24, compiled or not the same.

    TensorFlow's own stateless floats differ between XLA and the other ways to
    run an operation; its random bits do not.

    Args:
        seed: int32 `[2]`.
        shape: of the result, integers or an int32 tensor.

    Returns:
        float32 tensor of the given shape.
    """
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    bits = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24
