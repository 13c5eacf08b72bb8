"""Batches of images for training and for evaluation, as `tf.data`."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples, Rows
from byol_tf.distribute.strategy import WHOLE, Shard

FOREVER = np.iinfo(np.int64).max
READERS = 4  # batches that are made at a time
AHEAD = 4  # batches that are kept ready


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Full batches of one epoch; the remainder is dropped.

    Raises:
        ValueError: if there is not one full batch.
    """
    if not 1 <= batch_size <= num_examples:
        raise ValueError(
            "`batch_size` must be at least 1 and at most the number of "
            f"training images, {num_examples}. Received: "
            f"batch_size={batch_size}"
        )
    return num_examples // batch_size


def epoch_order(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """A random order of the examples, a pure function of its arguments.

    Sorts the raw output of the Philox counter generator, whose stream is
    fixed for all versions of NumPy.

    Returns:
        int64 `[num_examples]`, a permutation.
    """
    draws = np.random.Philox(key=[seed, epoch]).random_raw(num_examples)
    return np.argsort(draws, kind="stable")


def part_size(batch_size: int, shard: Shard) -> int:
    """Images of a batch that one replica gets.

    Raises:
        ValueError: if the batch cannot be divided by the replicas.
    """
    part, rest = divmod(batch_size, shard.replicas)
    if rest:
        raise ValueError(
            "`batch_size` must be a multiple of the number of replicas, "
            f"{shard.replicas}. Received: batch_size={batch_size}"
        )
    return part


def epoch_rows(
    num_examples: int, batch_size: int, seed: int, epoch: int, shard: Shard
) -> np.ndarray:
    """The examples of every step of an epoch, for the replicas of a shard.

    Returns:
        int64 `[steps, replicas of the shard, part]`; those of all shards,
        put together in order, are the batches of one device.
    """
    steps = steps_per_epoch(num_examples, batch_size)
    rows = epoch_order(num_examples, seed, epoch)[: steps * batch_size]
    rows = rows.reshape(steps, shard.replicas, part_size(batch_size, shard))
    return rows[:, shard.first : shard.first + shard.count]


def training_batches(
    images: Examples,
    batch_size: int,
    *,
    seed: int,
    start_step: int = 0,
    num_steps: int | None = None,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Shuffled full batches from a step on.

    Which images a step gets is a pure function of `(seed, step)`, so a run
    that continues at `start_step` gets what it would have got without the
    interruption, and no data is read to come to that place. Every epoch has
    an order of its own and holds an image at most once.

    Args:
        images: the training set.
        batch_size: images of a batch.
        seed: of the order, 0 or more.
        start_step: first step, counted from the beginning of training.
        num_steps: number of batches; None for no end.
        shard: which parts of every batch are read, one after another. Those
            of all shards, put together in order, are the batch.

    Returns:
        Dataset of `(images, labels)`: uint8 `[part, height, width, channels]`
        and int32 `[part]`, `part` being `batch_size` over the replicas.

    Raises:
        ValueError: if there is not one full batch, or it cannot be divided by
            the replicas.
    """
    count = images.num_examples
    per_epoch = steps_per_epoch(count, batch_size)
    part = part_size(batch_size, shard)
    first_epoch, first_step = divmod(start_step, per_epoch)

    def order(epoch):
        rows = epoch_rows(count, batch_size, seed, int(epoch), shard)
        rows = rows[first_step if epoch == first_epoch else 0 :]
        return rows.reshape(-1, part)

    def steps_of_epoch(epoch):
        steps = tf.numpy_function(order, [epoch], tf.int64, stateful=False)
        steps.set_shape([None, part])
        return tf.data.Dataset.from_tensor_slices(steps)

    steps = tf.data.Dataset.range(first_epoch, FOREVER).flat_map(steps_of_epoch)
    if num_steps is not None:
        steps = steps.take(num_steps * shard.count)
    return _gather(steps, images, part)


def with_views(
    dataset: tf.data.Dataset,
    views: Callable,
    view_seed: Callable,
    *,
    start_step: int = 0,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Draws the two views in the pipeline instead of inside the step.

    Args:
        dataset: batches of `(images, labels)`.
        views: `views(images, seed=int32 [2]) -> (view1, view2)`.
        view_seed: `view_seed(step, replica)` gives the seed of int64 scalars;
            the model's own, so that the draws are the same in either place.
        start_step: step of the first batch.
        shard: whose parts of the batches they are.

    Returns:
        Dataset of `((view1, view2), labels)`.
    """

    def draw(number, batch):
        images, labels = batch
        step = start_step + number // shard.count
        seed = view_seed(step, shard.first + number % shard.count)
        return tuple(views(images, seed=seed)), labels

    return (
        dataset.enumerate()
        .map(draw, num_parallel_calls=READERS, deterministic=True)
        .prefetch(AHEAD)
    )


def _gather(indices, images, batch_size):
    """Batches of indices to batches of images and labels.

    Reads in NumPy: it copies rows as fast as TensorFlow would, from memory
    and from a memory map alike, and nothing is held twice.
    """
    pixels, labels = images.rows, images.labels.astype(np.int32)
    on_disk = isinstance(pixels, np.memmap | Rows)

    def read(rows):
        if not on_disk:
            return pixels[rows], labels[rows]
        order = np.argsort(rows)  # ascending: fewest jumps on the disk
        batch = np.empty((len(rows), *pixels.shape[1:]), pixels.dtype)
        batch[order] = pixels[rows[order]]
        return batch, labels[rows]

    def batch(rows):
        values = tf.numpy_function(
            read, [rows], (pixels.dtype, tf.int32), stateful=False
        )
        values[0].set_shape([batch_size, *pixels.shape[1:]])
        values[1].set_shape([batch_size])
        return tuple(values)

    # Copying rows needs no tuning, and the thread that tunes holds up the end
    # of an iteration by up to a minute: it sleeps for longer and longer.
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        indices.map(batch, num_parallel_calls=READERS, deterministic=True)
        .prefetch(AHEAD)
        .with_options(options)
    )
