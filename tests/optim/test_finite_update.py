"""A batch that is not finite leaves no trace in the state of a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import byol_tf
from byol_tf.optim import finite_update as faults
from tests.support.waves import LENGTH, signals


def make_model(optimizer=None, **kwargs):
    """Of dense layers and given views, which compile soonest."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.Input((LENGTH, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
        ]
    )
    model = byol_tf.BYOL(
        encoder, hidden_size=8, projection_size=4, probe_classes=2
    )
    model.compile(optimizer or keras.optimizers.Adam(1e-2), **kwargs)
    model.optimizer.build(model.trainable_variables)
    return model


def batch(value=0.0):
    """Two views and labels; a number of one view is as given."""
    inputs, labels = signals(16)
    other = inputs[:, ::-1].copy()
    inputs[3, 5] = value
    return (tf.constant(inputs), tf.constant(other)), tf.constant(labels)


def state(model):
    """All variables but the counter of batches, as arrays."""
    variables = [*model.variables, *model.optimizer.variables]
    counters = ("step", "step_counter", "dynamic_scale")
    return [v.numpy() for v in variables if v.name not in counters]


def optimizers():
    adam = keras.optimizers.Adam
    return {
        "plain": adam(1e-2),
        "accumulating": adam(1e-2, gradient_accumulation_steps=2),
        "scaling": keras.optimizers.LossScaleOptimizer(adam(1e-2)),
    }


@pytest.mark.parametrize(
    "kind,compiled",
    [
        ("plain", False),
        ("accumulating", False),
        ("accumulating", True),
        ("scaling", False),
        ("scaling", True),
    ],
)
def test_a_batch_with_nan_leaves_no_trace(kind, compiled):
    model = make_model(optimizers()[kind])
    step = tf.function(
        model.pretrain_step, jit_compile=compiled, autograph=False
    )
    assert float(step(*batch())["skipped"]) == 0
    before = state(model)
    for value in (np.nan, np.inf):
        assert float(step(*batch(value))["skipped"]) == 1
    for ours, theirs in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(model.step.numpy()) == 3
    step(*batch())
    changed = zip(state(model), before, strict=True)
    assert any((ours != theirs).any() for ours, theirs in changed)


def test_a_loss_scale_falls_where_the_batch_is_skipped():
    model = make_model(optimizers()["scaling"])
    before = float(model.optimizer.dynamic_scale)
    model.pretrain_step(*batch(np.nan))
    assert float(model.optimizer.dynamic_scale) == before / 2


@pytest.mark.parametrize("kind", ["plain", "scaling"])
def test_a_loss_that_is_not_finite_skips_a_batch_of_finite_gradients(kind):
    weight = keras.Variable([1.0, 2.0])
    statistic = keras.Variable(3.0)
    restore = faults.remember([statistic])
    statistic.assign(4.0)
    faults.update_if(
        faults.is_finite(tf.constant(np.nan), [tf.ones(2)]),
        *(optimizers()[kind], [tf.ones(2)], [weight], restore),
    )
    np.testing.assert_array_equal(weight, [1.0, 2.0])
    assert float(statistic) == 3.0


@pytest.mark.parametrize(
    "loss,gradients,expected",
    [
        (1.0, [[1.0, -2.0], None, [0.0]], True),
        (np.nan, [[1.0]], False),
        (np.inf, [[1.0]], False),
        (1.0, [[1.0], [0.0, -np.inf]], False),
        (1.0, [[np.nan], [0.0]], False),
        (1.0, [[1e30]], False),  # its square is no float32
    ],
)
def test_sound_is_what_is_finite(loss, gradients, expected):
    gradients = [g if g is None else tf.constant(g) for g in gradients]
    assert bool(faults.is_finite(tf.constant(loss), gradients)) == expected


def test_fit_skips_as_well():
    model = make_model(run_eagerly=True)
    before = model.get_weights()
    history = model.fit(*batch(np.nan), batch_size=16, epochs=1, verbose=0)
    assert history.history["skipped"] == [1.0]
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        if ours.shape:  # the counter of batches moved
            np.testing.assert_array_equal(ours, theirs)


def test_constant_inputs_are_sound():
    model = make_model()
    inputs = tf.ones((16, LENGTH, 1))
    logs = model.pretrain_step((inputs, inputs), tf.zeros(16, tf.int32))
    assert float(logs["skipped"]) == 0
