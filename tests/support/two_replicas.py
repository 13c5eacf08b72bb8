"""The losses that look at the whole batch, on two replicas and on one.

Run as a process of its own, since devices are laid out once in a process.
Prints, by loss, the values and the gradients of a linear network.
"""

import json

import numpy as np
import tensorflow as tf

from byol_tf.distribute.replicas import gather_replicas
from byol_tf.losses.contrastive import info_nce, nt_xent, triplet_semi_hard
from byol_tf.losses.decorrelation import barlow_twins, vicreg

LOSSES = {
    "nt_xent": nt_xent,
    "triplet_semi_hard": lambda z1, z2: triplet_semi_hard(z1, z2, 0.5),
    "barlow_twins": barlow_twins,
    "vicreg": vicreg,
    # Of the keys, none gets a gradient.
    "info_nce": lambda q1, q2: info_nce(q1, q2, q1, q2),
}


def main():
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    strategies = {
        "one": tf.distribute.OneDeviceStrategy("CPU:0"),
        "two": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    }
    found = {
        name: {key: step(loss, s) for key, s in strategies.items()}
        for name, loss in LOSSES.items()
    }
    print(json.dumps(found))


def step(loss, strategy):
    """Loss, and gradient as the training step sums it up over replicas."""
    rng = np.random.default_rng(0)
    views = rng.normal(size=(2, 8, 5)).astype(np.float32)
    with strategy.scope():
        kernel = tf.Variable(rng.normal(size=(5, 3)).astype(np.float32))
    replicas = strategy.num_replicas_in_sync
    share = len(views[0]) // replicas

    def part(context):
        start = share * context.replica_id_in_sync_group
        return tf.constant(views[:, start : start + share])

    @tf.function
    def run(parts):
        def replica(part):
            with tf.GradientTape() as tape:
                first, second = (
                    gather_replicas(v @ kernel) for v in tf.unstack(part)
                )
                value = loss(first, second)
                scaled = value / replicas
            return value, tape.gradient(scaled, kernel)

        values, gradients = strategy.run(replica, (parts,))
        return (
            strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None),
            strategy.reduce(tf.distribute.ReduceOp.SUM, gradients, axis=None),
        )

    parts = strategy.experimental_distribute_values_from_function(part)
    value, gradient = run(parts)
    return {"value": float(value), "gradient": gradient.numpy().tolist()}


if __name__ == "__main__":
    main()
