"""The training loop."""

from collections.abc import Callable, Iterable, Sequence

import keras

from byol_tf.distribute.strategy import Distribution

AGREE_EVERY = 10  # steps; workers wait for each other to ask who wants to stop


def pretrain(
    model: keras.Model,
    make_batches: Callable[[int], Iterable],
    *,
    total_steps: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    jit_compile: bool = False,
    distribution: Distribution | None = None,
) -> None:
    """Runs `model.pretrain_step` from `model.step` up to `total_steps`.

    Differs from `model.fit` in that it starts inside an epoch where an
    earlier run was interrupted, and gives every callback the logs of each
    step as eager scalar tensors, read only when somebody needs them.

    Args:
        model: compiled, with `pretrain_step(inputs, labels)` and an int64
            variable `step` that the step advances.
        make_batches: gives the batches from a step on, `(inputs, labels)`,
            as `Distribution.batches` makes them.
        total_steps: step at which training ends.
        steps_per_epoch: for the callbacks' epochs.
        callbacks: Keras callbacks. `on_train_batch_end(step, logs)` gets the
            number of steps done before this one; `on_epoch_end(epoch, logs)`
            gets a dict that earlier callbacks may add to.
        jit_compile: compile the step with XLA.
        distribution: devices that make the step, and the workers that do the
            same as this one; None for one device. A callback that ends the
            training on any worker ends it on all.
    """
    distribution = distribution or Distribution()
    callbacks = keras.callbacks.CallbackList(
        list(callbacks),
        model=model,
        epochs=-(-total_steps // steps_per_epoch),
        steps=steps_per_epoch,
    )
    model.stop_training = False
    step_function = distribution.step_function(model.pretrain_step, jit_compile)
    start = int(model.step.numpy())
    batches = zip(range(start, total_steps), make_batches(start), strict=False)
    callbacks.on_train_begin()
    try:
        _steps(
            model,
            step_function,
            batches,
            total_steps,
            steps_per_epoch,
            callbacks,
            distribution,
        )
    except KeyboardInterrupt:
        # Between two steps the state is whole, so it may be saved.
        callbacks.on_train_end()
        raise
    callbacks.on_train_end()


def _steps(
    model,
    step_function,
    batches,
    total_steps,
    steps_per_epoch,
    callbacks,
    distribution,
):
    """Runs the numbered batches, with the callbacks of batches and epochs."""
    open_epoch = False
    for step, batch in batches:
        epoch = step // steps_per_epoch
        if not open_epoch:
            callbacks.on_epoch_begin(epoch)
            open_epoch = True
        callbacks.on_train_batch_begin(step)
        callbacks.on_train_batch_end(step, step_function(*batch))
        done = step + 1
        if done % steps_per_epoch == 0 or done == total_steps:
            callbacks.on_epoch_end(epoch, {})
            open_epoch = False
        if _all_stop(model, distribution, done, not open_epoch):
            break


def _all_stop(model, distribution, done, at_end):
    """Whether a callback of any worker has asked to stop."""
    if distribution.workers > 1:
        if not at_end and done % AGREE_EVERY:
            return False
        model.stop_training = any(distribution.gather(model.stop_training))
    return model.stop_training
