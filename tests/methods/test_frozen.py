"""Encoders with frozen layers, and layers frozen between two fits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import byol_tf

METHODS = [
    (byol_tf.BYOL, "copy"),
    (byol_tf.BYOL, "independent"),
    (byol_tf.MoCoV3, "copy"),
]


def encoder(frozen=()):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="top")(x))
    for name in frozen:
        model.get_layer(name).trainable = False
    return model


def compiled(method, network, **options):
    model = method(network, hidden_size=4, projection_size=3, **options)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), run_eagerly=True)
    return model


def fit(model):
    views = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")
    batches = tf.data.Dataset.from_tensors((tuple(views),))
    model.fit(batches, verbose=0)


def kernels(model, name):
    layers = model.encoder.get_layer(name), model.target_encoder.get_layer(name)
    return [layer.get_weights()[0] for layer in layers]


@pytest.mark.parametrize("method, start", METHODS)
def test_a_frozen_layer_is_the_same_in_the_target(method, start):
    model = compiled(method, encoder(["stem", "norm"]), target_init=start)
    before = kernels(model, "stem")[0]
    fit(model)
    for kernel in kernels(model, "stem"):
        np.testing.assert_array_equal(kernel, before)
    norm, target_norm = (
        network.get_layer("norm").get_weights()
        for network in (model.encoder, model.target_encoder)
    )
    np.testing.assert_array_equal(norm, target_norm)


@pytest.mark.parametrize("method, start", METHODS)
def test_layers_freeze_and_thaw_between_fits(method, start):
    model = compiled(method, encoder(), target_init=start, tau=0.0)
    seen = []
    for frozen in (False, True, False):
        model.encoder.get_layer("stem").trainable = not frozen
        before = kernels(model, "stem")[0]
        fit(model)
        after, target = kernels(model, "stem")
        seen.append(np.array_equal(before, after))
        np.testing.assert_allclose(target, after, atol=1e-6)
    assert seen == [False, True, False]


def test_the_optimizer_keeps_what_it_knows_of_a_frozen_layer():
    model = compiled(byol_tf.BYOL, encoder())
    fit(model)
    slots = [variable.numpy() for variable in model.optimizer.momentums]
    model.encoder.get_layer("stem").trainable = False
    fit(model)
    assert len(model.optimizer.momentums) == len(slots)
    for index, (slot, before) in enumerate(
        zip(model.optimizer.momentums, slots, strict=True)
    ):
        assert np.array_equal(slot, before) == (index < 2) or not before.any()


def test_a_compiled_step_is_traced_anew_when_a_layer_is_frozen():
    model = compiled(byol_tf.BYOL, encoder())
    model.compile(keras.optimizers.SGD(0.1))
    fit(model)
    model.encoder.get_layer("stem").trainable = False
    before = kernels(model, "stem")[0]
    fit(model)
    np.testing.assert_array_equal(kernels(model, "stem")[0], before)


def test_moving_statistics_go_with_a_copy_alone():
    network = encoder()
    network.get_layer("norm").moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    for start, expected in (("copy", [1, 2, 3, 4]), ("independent", [0] * 4)):
        model = compiled(byol_tf.BYOL, network, target_init=start)
        found = model.target_encoder.get_layer("norm").moving_mean
        np.testing.assert_array_equal(found, expected)


def test_an_adapted_normalization_is_the_same_in_the_target():
    scale = keras.layers.Normalization()
    scale.adapt(np.array([[1.0, 2.0, 3.0], [3.0, 6.0, 9.0]]))
    network = keras.Sequential([keras.Input((3,)), scale, encoder()])
    model = compiled(byol_tf.BYOL, network)
    x = np.ones([1, 3], "float32")
    np.testing.assert_array_equal(model.target_encoder.layers[0](x), scale(x))
