"""Which examples a step of training gets."""

import numpy as np

from byol_tf.distribute.strategy import Shard

BLOCK = 1024  # rows that stay near each other
GROUP = 64  # blocks that are shuffled together


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Full batches of one epoch; a ValueError if there is none."""
    if not 1 <= batch_size <= num_examples:
        raise ValueError(
            "`batch_size` must be at least 1 and at most the number of "
            f"training examples, {num_examples}. Received: "
            f"batch_size={batch_size}"
        )
    return num_examples // batch_size


def epoch_order(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation int64 `[num_examples]`, a pure function of its arguments.

    Sorts the raw output of the Philox counter generator, whose stream is
    fixed for all versions of NumPy.
    """
    draws = np.random.Philox(key=[seed, epoch]).random_raw(num_examples)
    return np.argsort(draws, kind="stable")


def block_order(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation for rows that should be read nearly in their order.

    Permutes blocks of 1,024 rows, then the rows within groups of 64 blocks:
    a group's files lie in few places of a disk. Up to 65,536 rows it is that
    of `epoch_order`, whose arguments these are.
    """
    group = BLOCK * GROUP
    if num_examples <= group:
        return epoch_order(num_examples, seed, epoch)
    blocks = -(-num_examples // BLOCK)
    draws = np.random.Philox(key=[seed, epoch]).random_raw(
        num_examples + blocks
    )
    starts = BLOCK * np.argsort(draws[num_examples:], kind="stable")
    rows = (starts[:, None] + np.arange(BLOCK)).ravel()
    rows = rows[rows < num_examples]
    for start in range(0, num_examples, group):
        part = slice(start, min(start + group, num_examples))
        rows[part] = rows[part][np.argsort(draws[part], kind="stable")]
    return rows


def part_size(batch_size: int, shard: Shard) -> int:
    """Examples of a batch that one replica gets.

    A ValueError if the batch cannot be divided by the replicas.
    """
    part, rest = divmod(batch_size, shard.replicas)
    if rest:
        raise ValueError(
            "`batch_size` must be a multiple of the number of replicas, "
            f"{shard.replicas}. Received: batch_size={batch_size}"
        )
    return part


def places(num_examples: int, batch_size: int, shard: Shard) -> np.ndarray:
    """Where the examples of a shard's steps stand in the order of an epoch.

    int64 `[steps, replicas of the shard, part]`; those of all shards, put
    together in order, are the batches of one device.
    """
    steps = steps_per_epoch(num_examples, batch_size)
    part = part_size(batch_size, shard)
    every = np.arange(steps * batch_size)
    every = every.reshape(steps, shard.replicas, part)
    return every[:, shard.first : shard.first + shard.count]
