"""The training loop."""

from collections.abc import Callable, Iterable, Sequence

import keras

from byol_tf.distribute.strategy import Distribution

AGREE_EVERY = 10  # steps, since workers wait for each other to agree


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

    Unlike `model.fit`, it can start inside an epoch, where an earlier run was
    interrupted. The logs of a step are eager scalar tensors, which are read
    only when a callback needs them.

    Args:
        model: compiled, with `pretrain_step(inputs, labels)` and an int64
            variable `step` that the step advances.
        make_batches: returns the batches `(inputs, labels)` from a step on, as
            `Distribution.batches` does.
        total_steps: step at which training ends.
        steps_per_epoch: for the callbacks' epochs.
        callbacks: Keras callbacks. `on_train_batch_end(step, logs)` gets the
            number of steps done before this one; `on_epoch_end(epoch, logs)`
            gets a dict that earlier callbacks may add to.
        jit_compile: compile the step with XLA.
        distribution: devices and workers to train on; None: one device. A
            callback that ends the training on any worker ends it on all.
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
        for step, batch in batches:
            epoch, done = step // steps_per_epoch, step + 1
            if step == start or step % steps_per_epoch == 0:
                callbacks.on_epoch_begin(epoch)
            callbacks.on_train_batch_begin(step)
            callbacks.on_train_batch_end(step, step_function(*batch))
            ends = done % steps_per_epoch == 0 or done == total_steps
            if ends:
                callbacks.on_epoch_end(epoch, {})
            if _all_stop(model, distribution, ends or done % AGREE_EVERY == 0):
                break
    except KeyboardInterrupt:
        # Between two steps the state is consistent and can be saved.
        callbacks.on_train_end()
        raise
    callbacks.on_train_end()


def _all_stop(model, distribution, agree):
    """Returns whether a callback of any worker wants to stop."""
    if distribution.workers > 1:
        if not agree:
            return False
        model.stop_training = any(distribution.gather(model.stop_training))
    return model.stop_training
