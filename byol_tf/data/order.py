"""The order of examples in training."""

import numpy as np

from byol_tf.distribute.strategy import Shard

BLOCK = 1024  # rows that stay near each other
GROUP = 64  # blocks that are shuffled together


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Returns full batches per epoch; a ValueError if there is none."""
    if not 1 <= batch_size <= num_examples:
        raise ValueError(
            "`batch_size` must be at least 1 and at most the number of "
            f"training examples, {num_examples}. Received: "
            f"batch_size={batch_size}"
        )
    return num_examples // batch_size


def epoch_order(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns a permutation int64 `[num_examples]`, a pure function.

    Sorts the raw output of the Philox counter generator, which is the same in
    all versions of NumPy.
    """
    draws = np.random.Philox(key=[seed, epoch]).random_raw(num_examples)
    return np.argsort(draws, kind="stable")


def block_order(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns a permutation that reads rows nearly in order.

    Permutes blocks of 1,024 rows, then the rows within groups of 64 blocks, so
    that a group's files are close together on disk. Up to 65,536 rows it equals
    `epoch_order`, with the same arguments.
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
    """Returns the examples of a batch for one replica.

    Raises a ValueError if the replicas do not divide the batch.
    """
    part, rest = divmod(batch_size, shard.replicas)
    if rest:
        raise ValueError(
            "`batch_size` must be a multiple of the number of replicas, "
            f"{shard.replicas}. Received: batch_size={batch_size}"
        )
    return part


def places(num_examples: int, batch_size: int, shard: Shard) -> np.ndarray:
    """Returns the positions of a shard's examples in an epoch's order.

    int64 `[steps, replicas of the shard, part]`. All shards together, in order,
    are the batches of one device.
    """
    steps = steps_per_epoch(num_examples, batch_size)
    part = part_size(batch_size, shard)
    positions = np.arange(steps * batch_size)
    positions = positions.reshape(steps, shard.replicas, part)
    return positions[:, shard.first : shard.first + shard.count]
