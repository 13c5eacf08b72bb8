"""Skips updates with non-finite numbers, inside the training step.

NaN reaches the weights by the gradients, and by the moving statistics of batch
norm, which change before the loss is known.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from byol_tf.distribute.replicas import replica_context


def is_finite(loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns whether the loss and all gradients are finite, a bool scalar.

    A gradient whose squares overflow float32 counts as infinite.
    """
    squares = [
        tf.nn.l2_loss(tf.cast(tf.convert_to_tensor(gradient), tf.float32))
        for gradient in gradients
        if gradient is not None
    ]
    return tf.math.is_finite(tf.add_n([tf.cast(loss, tf.float32), *squares]))


def remember(variables: Sequence[keras.Variable]) -> Callable[[], None]:
    """Returns a function that restores the variables' present values."""
    values = [tf.identity(variable.value) for variable in variables]

    def restore():
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    return restore


def update_if(
    finite: tf.Tensor,
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
    restore: Callable[[], None],
) -> None:
    """Updates the variables, or calls `restore` if a number is not finite.

    Args:
        finite: bool scalar of `is_finite`, the same on all replicas.
        optimizer: not called for such a batch, unless it scales the loss:
            it then skips the batch itself and lowers its scale.
        gradients: gradients of the variables.
        variables: variables to update.
        restore: result of `remember`.
    """

    def update():
        optimizer.apply(gradients, variables)
        return finite

    def undo():
        restore()
        return finite

    if not optimizer.built:  # variables cannot be created in a branch
        optimizer.build(variables)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # It sees neither the loss nor the gradients of other replicas.
        gradients = _nan_unless(finite, gradients)
        update()
    elif replica_context() is not None:
        _update_replicas(finite, optimizer, gradients, variables)
    else:
        tf.cond(finite, update, undo)
        return
    tf.cond(finite, lambda: finite, undo)


def _nan_unless(finite, gradients):
    """Returns gradients that are NaN unless all are finite."""
    offset = tf.where(finite, 0.0, float("nan"))
    return [g if g is None else g + tf.cast(offset, g.dtype) for g in gradients]


def _update_replicas(finite, optimizer, gradients, variables):
    """Updates on all replicas, with summed gradients, or not at all."""
    if isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy):
        # XLA on TPU allows no branch around a sum over replicas.
        optimizer.apply(gradients, variables)
        return

    def merged(strategy, finite, gradients):
        finite = strategy.experimental_local_results(finite)[0]

        def update():
            strategy.extended.call_for_each_replica(
                optimizer.apply, args=(gradients, variables)
            )
            return finite

        tf.cond(finite, update, lambda: finite)

    # Branch outside of the replicas, where summing is allowed.
    replica_context().merge_call(merged, args=(finite, gradients))
