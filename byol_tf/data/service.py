"""Batches that other machines make, with the `tf.data` service.

Every epoch is a job of the service: the steps of the epoch are dealt out to
its workers, which read the images and, if asked to, draw the views.
"""

import socket
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from byol_tf.data.batches import (
    AHEAD,
    READERS,
    epoch_rows,
    training_batches,
    with_views,
)
from byol_tf.data.examples import Examples
from byol_tf.distribute.strategy import WHOLE, Shard

MOST_BYTES = 2**30  # of the images, which are sent to the workers whole
PATIENCE = 10  # seconds until an address that does not answer is an error


def service_batches(
    images: Examples,
    batch_size: int,
    address: str,
    *,
    seed: int,
    start_step: int,
    num_steps: int,
    shard: Shard = WHOLE,
    views: Callable | None = None,
    view_seed: Callable | None = None,
    shift: int = 0,
) -> Iterator[tuple]:
    """What `training_batches` and `with_views` give, made by a service.

    Every image comes once an epoch, in the same batches, but their order
    within an epoch is that in which the workers finish.

    Args:
        images: the training set, in memory.
        batch_size: images of a batch.
        address: `grpc://host:port` of the dispatcher.
        seed: of the order.
        start_step: first step.
        num_steps: number of batches.
        shard: which parts of every batch.
        views: None, or drawn by the workers, as in `with_views`.
        view_seed: as there.
        shift: batches that the data order is ahead of the steps.

    Raises:
        ValueError: nobody listens at the address, or the images cannot be
            sent.
    """
    _check_address(address)
    if isinstance(images.rows, np.memmap) or not isinstance(
        images.rows, np.ndarray
    ):
        raise ValueError(
            "data.service needs the images in memory: data.cache=memory"
        )
    if images.rows.nbytes > MOST_BYTES:
        raise ValueError(
            f"data.service sends at most {MOST_BYTES >> 20} MiB of images. "
            f"Received: {images.rows.nbytes >> 20} MiB"
        )
    count, done = images.num_examples, 0
    make = _maker(images, views, view_seed)
    while done < num_steps:
        step = start_step + done
        per_epoch = count // batch_size
        epoch, first = divmod(step + shift, per_epoch)
        rows = epoch_rows(count, batch_size, seed, epoch, shard)
        rows = rows[first : first + num_steps - done]
        yield from _job(rows, step, shard, address, make)
        done += len(rows)


def make_parts(
    images: Examples,
    batch_size: int,
    shard: Shard,
    *,
    service: str,
    seed: int,
    start_step: int,
    num_steps: int,
    shift: int,
    views: Callable | None,
    view_seed: Callable,
) -> Iterable[tuple]:
    """Parts of batches from a step on, made here or by a service.

    Args:
        service: address of a `tf.data` service; "" for this process.

    The others, and the errors, are those of `service_batches`.
    """
    common = {"seed": seed, "num_steps": num_steps, "shard": shard}
    drawing = {"views": views, "view_seed": view_seed}
    if service:
        return service_batches(
            images,
            batch_size,
            service,
            start_step=start_step,
            shift=shift,
            **common,
            **drawing,
        )
    parts = training_batches(
        images, batch_size, start_step=start_step + shift, **common
    )
    if views is None:
        return parts
    return with_views(parts, **drawing, start_step=start_step, shard=shard)


def _job(rows, step, shard, address, make):
    """The batches of some steps of one epoch."""
    steps, replicas, part = rows.shape
    parts = {
        "rows": rows.reshape(-1, part),
        "step": np.repeat(np.arange(step, step + steps), replicas),
        "replica": np.tile(np.arange(replicas) + shard.first, steps),
    }
    policy = tf.data.experimental.service.ShardingPolicy.DYNAMIC
    return iter(
        tf.data.Dataset.from_tensor_slices(parts)
        .map(make, num_parallel_calls=READERS)
        .apply(tf.data.experimental.service.distribute(policy, address))
        .prefetch(AHEAD)
    )


def _maker(images, views, view_seed):
    # All in TensorFlow, since it runs in another process.
    labels = images.labels.astype(np.int32)

    def make(part):
        batch = tf.gather(images.rows, part["rows"])
        if views is not None:
            seed = view_seed(part["step"], part["replica"])
            batch = tuple(views(batch, seed=seed))
        return batch, tf.gather(labels, part["rows"])

    return make


def _check_address(address):
    url = urllib.parse.urlsplit(address)
    try:
        if url.scheme != "grpc" or not url.hostname or not url.port:
            raise ValueError("it is none")
        socket.create_connection((url.hostname, url.port), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ValueError(
            "data.service must be the address of a tf.data service that runs, "
            f"as grpc://host:port. Received: {address!r} ({error})"
        ) from error
