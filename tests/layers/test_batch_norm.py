import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.layers.batch_norm import FusedBatchNormalization


def data(shape, seed=0):
    x = np.random.default_rng(seed).normal(size=shape)
    return (x * np.linspace(0.5, 3, shape[-1]) + 2).astype(np.float32)


@pytest.mark.parametrize("shape", [(6, 4, 3, 5), (8, 5), (4, 9, 5)])
def test_training_output_is_normalised_over_all_but_channels(shape):
    x, layer = data(shape), FusedBatchNormalization()
    axes = tuple(range(len(shape) - 1))
    expected = (x - x.mean(axes)) / np.sqrt(x.var(axes) + layer.epsilon)
    output = layer(x, training=True)
    assert output.shape == shape
    np.testing.assert_allclose(output, expected, atol=2e-5)


def test_gradients_equal_those_of_the_keras_layer():
    x = tf.constant(data((6, 4, 3, 5)))
    weight = tf.constant(data((6, 4, 3, 5), seed=1))
    gradients = []
    for layer in (
        FusedBatchNormalization(epsilon=1e-3),
        keras.layers.BatchNormalization(epsilon=1e-3),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weight * layer(x, training=True) ** 2)
        gradients.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)


def test_moving_statistics_are_the_debiased_average_of_biased_ones():
    layer, decay = FusedBatchNormalization(decay=0.7), 0.7
    hidden_mean, hidden_var = 0.0, 0.0
    for seed in range(4):
        x = data((6, 3, 3, 5), seed) * (seed + 1)
        layer(x, training=True)
        hidden_mean = decay * hidden_mean + (1 - decay) * x.mean((0, 1, 2))
        hidden_var = decay * hidden_var + (1 - decay) * x.var((0, 1, 2))
    weight = 1 - decay**4
    np.testing.assert_allclose(
        layer.moving_mean.numpy(), hidden_mean / weight, rtol=1e-4
    )
    np.testing.assert_allclose(
        layer.moving_variance.numpy(), hidden_var / weight, rtol=1e-4
    )


def test_inference_uses_the_moving_statistics():
    layer, x = FusedBatchNormalization(), data((6, 5))
    layer(x, training=True)
    expected = (x - layer.moving_mean.numpy()) / np.sqrt(
        layer.moving_variance.numpy() + layer.epsilon
    )
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_inference_leaves_the_moving_statistics():
    layer, x = FusedBatchNormalization(), data((6, 5))
    layer(x, training=False)
    assert float(layer.updates.numpy()) == 0
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0)


def test_a_frozen_layer_is_in_inference_mode():
    layer = FusedBatchNormalization(trainable=False)
    layer(data((6, 5)), training=True)
    assert float(layer.updates.numpy()) == 0


@pytest.mark.parametrize(
    "policy,dtype,tolerance",
    [("mixed_bfloat16", "bfloat16", 0.05), ("mixed_float16", "float16", 0.01)],
)
def test_mixed_precision_keeps_float32_statistics(policy, dtype, tolerance):
    x, layer = data((16, 4, 4, 5)), FusedBatchNormalization(dtype=policy)
    output = layer(x, training=True)
    assert output.dtype == dtype
    assert layer.moving_mean.dtype == "float32"
    expected = FusedBatchNormalization()(x, training=True)
    np.testing.assert_allclose(
        tf.cast(output, "float32"), expected, atol=tolerance
    )


def test_layer_survives_serialisation():
    layer = FusedBatchNormalization(decay=0.8, epsilon=1e-4, name="norm")
    packed = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(packed)
    assert copy.get_config() == layer.get_config()
