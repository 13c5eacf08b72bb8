"""Random seeds as a pure function of (seed, step, replica)."""

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
