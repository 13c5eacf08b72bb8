"""The same twenty steps on one device, on two devices, and by two processes.

Devices are laid out once in a process, and workers are processes: each of
these runs in one of its own.
"""

import json
import os
import pathlib
import socket
import time

import keras
import numpy as np
import tensorflow as tf

import byol_tf
from byol_tf.data.batches import training_batches
from byol_tf.data.examples import Examples
from byol_tf.distribute.strategy import make_distribution
from byol_tf.layers.batch_norm import FusedBatchNormalization, synchronize
from byol_tf.training.loop import pretrain
from byol_tf.training.metrics import read_metrics
from tests.support.scripts import CONTEXT, ROOT, redirect, run_here

STEPS = 20
BATCH = 16
IMAGES = 70  # four batches, and a rest that no epoch uses


class FixedViews(keras.layers.Layer):
    """The image, and the image flipped: nothing is drawn."""

    def call(self, images, seed=None):
        images = tf.cast(images, tf.float32) / 255.0
        return images, tf.reverse(images, [2])


class Noise(keras.layers.Layer):
    """Two views that are nothing but what is drawn."""

    def call(self, images, seed=None):
        views = [
            tf.random.stateless_uniform(tf.shape(images), seed + i)
            for i in range(2)
        ]
        return tuple(views)


class Record(keras.callbacks.Callback):
    """Keeps the logs of every step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append({key: float(value) for key, value in logs.items()})


def images(count=IMAGES):
    """Noise; the label is the number of the image."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    names = tuple(map(str, range(count)))
    return Examples(pixels, np.arange(count, dtype=np.int32), names, "noise")


def make_model(distribution, views, make_optimizer=None):
    keras.utils.set_random_seed(0)
    with distribution.strategy.scope():
        encoder = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(4, 3, strides=2),
                FusedBatchNormalization(),
                keras.layers.Activation("relu"),
                keras.layers.Flatten(),
            ]
        )
        model = byol_tf.BYOL(
            encoder,
            views,
            hidden_size=16,
            projection_size=8,
            tau=0.9,
            predictor_lr_multiplier=0.5,
            probe_classes=IMAGES,
        )
        model.compile((make_optimizer or lars)())
        model.optimizer.build(model.trainable_variables)
    return model


def lars():
    rate = byol_tf.WarmupCosine(0.5, STEPS, 2)
    return byol_tf.LARS(rate, trust_coefficient=0.1)


def sgd():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def scaling_sgd():
    return keras.optimizers.LossScaleOptimizer(sgd())


def batches(distribution, start=0, steps=STEPS):
    return distribution.batches(
        lambda shard: training_batches(
            images(),
            BATCH,
            seed=3,
            start_step=start,
            num_steps=steps - start,
            shard=shard,
        )
    )


def local(distribution, value):
    """What the replicas of this process have, as arrays."""
    values = distribution.strategy.experimental_local_results(value)
    return [np.asarray(v) for v in values]


def twenty_steps(distribution, folder):
    """Trains, and saves losses, weights, and what each replica was given."""
    model, record = make_model(distribution, FixedViews()), Record()
    pretrain(
        model,
        lambda step: batches(distribution, step),
        total_steps=STEPS,
        steps_per_epoch=IMAGES // BATCH,
        callbacks=[record],
        distribution=distribution,
    )
    given = [
        np.stack(local(distribution, labels))
        for _, labels in batches(distribution)
    ]
    np.savez(
        folder / f"worker{distribution.worker}.npz",
        *model.get_weights(),
        **{
            key: [step[key] for step in record.steps] for key in record.steps[0]
        },
        given=np.stack(given),
        drawn=np.stack(drawn(distribution)),
    )


def keras_norm(distribution):
    """Losses of SimSiam, whose projector ends with Keras's batch norm."""
    keras.utils.set_random_seed(0)
    with distribution.strategy.scope():
        encoder = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Flatten()]
        )
        model = byol_tf.SimSiam(
            encoder, FixedViews(), hidden_size=8, projection_size=8
        )
        if distribution.replicas > 1:
            synchronize(model, True)
        model.compile(sgd())
        model.optimizer.build(model.trainable_variables)
    step = distribution.step_function(model.pretrain_step)
    losses = [float(step(*b)["loss"]) for b in batches(distribution, steps=4)]
    return np.array(losses), model.projector.get_weights()[-1]


def drawn(distribution):
    """View 1 of the same images on each replica of this process."""
    model = make_model(distribution, Noise())
    same = tf.zeros((2, 8, 8, 3), tf.uint8)

    @tf.function
    def draw():
        return distribution.strategy.run(lambda: model.make_views(same)[0])

    return local(distribution, draw())


def skipped(distribution, folder):
    """What is left of steps in which the second replica alone meets a NaN.

    Of every optimizer and step: whether it was skipped, whether it left the
    state as it was, and whether the replicas have the same.
    """
    found = {}
    for make_optimizer in (sgd, scaling_sgd):
        model = make_model(distribution, None, make_optimizer)
        step = distribution.step_function(model.pretrain_step)
        steps, before = [], None
        for bad in (False, True, True, False):
            logs = step(two_parts(distribution, bad))
            after = [state(model, distribution, replica) for replica in (0, 1)]
            same = before is not None and np.array_equal(after[0], before)
            alike = np.array_equal(*after)
            steps.append([float(logs["skipped"]), bool(same), bool(alike)])
            before = after[0]
        found[make_optimizer.__name__] = steps
    (folder / "skipped.json").write_text(json.dumps(found))


def two_parts(distribution, bad):
    """Views for two replicas."""
    rng = np.random.default_rng(0)
    views = rng.random((2, 4, 8, 8, 3)).astype(np.float32)
    views[1, 0] = np.nan if bad else 0.5
    parts = iter([(tf.constant(part), tf.constant(part)) for part in views])
    return distribution.strategy.experimental_distribute_values_from_function(
        lambda _: next(parts)
    )


def state(model, distribution, replica):
    """All that a replica has but counters, as one vector."""
    counters = ("step", "step_counter", "dynamic_scale")
    return np.concatenate(
        [
            local(distribution, variable.value)[replica].ravel()
            for variable in (*model.variables, *model.optimizer.variables)
            if variable.name not in counters
        ]
    )


# ---- processes ----------------------------------------------------------


def start(target, log, *arguments, worker=None, ports=()):
    """Starts a function of this module in a process of its own.

    Args:
        target: its name.
        log: file of its output.
        *arguments: of it.
        worker: its number, if it is one of several.
        ports: of all of them, on this machine.
    """
    process = CONTEXT.Process(
        target=_run, args=(target, str(log), worker, ports, arguments)
    )
    process.start()
    return process


def _run(target, log, worker, ports, arguments):
    redirect(1, log, append=True)
    os.dup2(1, 2)
    os.chdir(ROOT)
    if worker is not None:
        addresses = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": worker}
        os.environ["TF_CONFIG"] = json.dumps(
            {"cluster": {"worker": addresses}, "task": task}
        )
    globals()[target](*arguments)


def on_devices(folder):
    """One device, then two, in one process."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    for name in ("one", "mirrored"):
        part = pathlib.Path(folder) / name
        part.mkdir()
        distribution = make_distribution(name)
        twenty_steps(distribution, part)
        losses, variance = keras_norm(distribution)
        np.savez(part / "keras_norm.npz", losses=losses, variance=variance)
    skipped(distribution, pathlib.Path(folder))


def as_worker(folder):
    """One of several workers, as TF_CONFIG says."""
    twenty_steps(make_distribution("auto"), pathlib.Path(folder))


def script(name, *flags):
    """A script of the repository, with its flags."""
    run_here([name, *flags])


def free_ports(count):
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for_step(process, workdir, step):
    """Waits until a run has reached a step and has a checkpoint.

    Returns:
        Whether the process still runs.
    """
    metrics, checkpoints = workdir / "metrics.jsonl", workdir / "checkpoints"
    while process.is_alive():
        lines = read_metrics(metrics)
        if lines and lines[-1]["step"] >= step and any(checkpoints.glob("s*")):
            return True
        time.sleep(0.05)
    return False
