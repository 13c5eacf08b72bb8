"""A training without images: waves of two frequencies, and a tiny model."""

import functools

import keras
import numpy as np
import tensorflow as tf

import byol_tf
from byol_tf.distribute.strategy import Distribution
from byol_tf.training.loop import pretrain

LENGTH = 32


@keras.saving.register_keras_serializable("byol_tf_tests")
class ShiftedSignals(keras.layers.Layer):
    """Views of one-dimensional signals: rolled in time, with noise."""

    def call(self, signals, seed=None):
        seeds = tf.random.split(seed, 2)
        return self._view(signals, seeds[0]), self._view(signals, seeds[1])

    def _view(self, signals, seed):
        shift = tf.random.stateless_uniform((), seed, 0, LENGTH, dtype=tf.int32)
        noise = tf.random.stateless_normal(tf.shape(signals), seed)
        return tf.roll(signals, shift, axis=1) + 0.1 * noise


def signals(count=64, seed=0):
    """Sine waves of two frequencies, at random phases."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    phase = rng.random((count, 1)) * 2 * np.pi
    time = np.arange(LENGTH) / LENGTH * 2 * np.pi
    waves = np.sin((1 + 2 * labels[:, None]) * time + phase)
    return waves[..., None].astype(np.float32), labels.astype(np.int32)


def make_model(tau=0.9, dtype=None):
    """A model that is ready to be trained, always with the same weights."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.Input((LENGTH, 1)),
            keras.layers.Conv1D(8, 7, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv1D(8, 7, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    model = byol_tf.BYOL(
        encoder,
        ShiftedSignals(),
        hidden_size=16,
        projection_size=8,
        tau=tau,
        probe_classes=2,
        dtype=dtype,
    )
    model.compile(keras.optimizers.Adam(5e-3))
    model.optimizer.build(model.trainable_variables)
    return model


def batches(start):
    """Steps `start`, `start` + 1, ... of a fixed order."""
    inputs, labels = signals()
    order = np.random.default_rng(1).permutation(64 * 50) % 64
    index = tf.data.Dataset.from_tensor_slices(order.reshape(-1, 16)[start:])
    return index.map(lambda i: (tf.gather(inputs, i), tf.gather(labels, i)))


class TracedOnce(Distribution):
    """One device, whose runs share the compiled step of a model."""

    def step_function(self, step, jit_compile=False):
        return _compiled(step)


@functools.cache
def _compiled(step):
    return tf.function(step, autograph=False)


def variables(model):
    """All that a checkpoint has to hold."""
    return [*model.variables, *model.optimizer.variables]


def values(model):
    """What `variables` hold, as arrays."""
    return [variable.numpy() for variable in variables(model)]


def assign(model, arrays):
    """Gives a model the values of another."""
    for variable, array in zip(variables(model), arrays, strict=True):
        variable.assign(array)


@functools.cache
def _made(make, *arguments):
    model = make(*arguments)
    return model, values(model)


def fresh(make=make_model, *arguments):
    """What `make` gives: one model for all tests, as it was when made."""
    model, start = _made(make, *arguments)
    assign(model, start)
    return model


def run(model, steps, callbacks=()):
    """Trains up to a step, in epochs of four."""
    pretrain(
        model,
        batches,
        total_steps=steps,
        steps_per_epoch=4,
        callbacks=callbacks,
        distribution=TracedOnce(),
    )
