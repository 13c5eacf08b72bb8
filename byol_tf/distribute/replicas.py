"""Operations over all replicas of `tf.distribute`.

With one replica, operations return their argument.
"""

import tensorflow as tf


def gather_replicas(vectors: tf.Tensor) -> tf.Tensor:
    """Returns the vectors of all replicas, in the same order on each.

    Gradients flow back to the replica a vector came from, summed over all
    replicas that used it.

    Args:
        vectors: float `[batch, dim]`, of this replica.

    Returns:
        `[replicas * batch, dim]`; the vectors themselves on one replica.
    """
    context = replica_context()
    if context is None:
        return vectors
    gathered = context.all_gather(vectors, axis=0)
    return tf.ensure_shape(gathered, (None, *vectors.shape[1:]))


def mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """Returns the mean of a float tensor over the replicas, with gradients."""
    context = replica_context()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(value))


def on_all_replicas(condition: tf.Tensor) -> tf.Tensor:
    """Returns whether a bool scalar is true on every replica."""
    if replica_context() is None:
        return condition
    share = mean_over_replicas(tf.cast(tf.logical_not(condition), tf.float32))
    return tf.equal(share, 0.0)


def replica_context() -> tf.distribute.ReplicaContext | None:
    """Returns this replica's context if there are several, else None."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context
