"""The convolution against TensorFlow's own."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.initializers import GlorotUniform

from byol_tf.layers import convolution
from byol_tf.layers.convolution import FEW_CHANNELS, SMALL_MAP, TINY_MAP, Conv2D

SHAPES = [  # side of the input, kernel, stride
    (1, 3, 1),
    (2, 3, 1),
    (2, 3, 2),
    (2, 7, 1),
    (2, 4, 1),
    (3, 3, 2),
    (4, 3, 2),
    (5, 3, 2),
    (6, 1, 2),
    (7, 1, 1),
    (7, 5, 2),
    (8, 7, 2),
    (9, 4, 3),
    (16, 3, 2),
    (20, 3, 1),  # not a small map
]


def run(side, size, stride, dtype="float32", training=False):
    """Outputs and gradients of the layer, then of TensorFlow's operation."""
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(5, side, side, 3)), tf.float32)
    layer = Conv2D(4, size, stride, dtype=dtype)
    layer.build(images.shape)
    weights = tf.constant(
        rng.normal(size=layer(images).shape), layer.compute_dtype
    )

    def gradients(function, kernel):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = function(tf.cast(images, layer.compute_dtype))
            loss = tf.reduce_sum(outputs * weights)
        return outputs, *tape.gradient(loss, [images, kernel])

    def reference(x):
        kernel = tf.cast(layer.kernel.value, x.dtype)
        return tf.nn.conv2d(x, kernel, stride, "SAME")

    call = functools.partial(layer, training=training)
    ours = gradients(call, layer.kernel.value)
    return ours, gradients(reference, layer.kernel.value)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("side,size,stride", SHAPES)
@pytest.mark.parametrize("small", [0, 8])
def test_outputs_and_gradients_are_those_of_tensorflow(
    side, size, stride, training, small, monkeypatch
):
    monkeypatch.setitem(SMALL_MAP, "float32", small)
    ours = run(side, size, stride, training=training)
    # What is added up for an output, for a gradient of an image, and of a
    # kernel over 5 images; products are of about 1.
    summands = 3 * size**2, 4 * size**2, 5 * math.ceil(side / stride) ** 2
    for own, theirs, count in zip(*ours, summands, strict=True):
        atol = np.finfo(np.float32).eps * count
        np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("side", [TINY_MAP, 4])
def test_gradients_agree_in_bfloat16(side):
    (_, _, ours), (_, _, theirs) = run(
        side, 3, 1, "mixed_bfloat16", training=True
    )
    # Sums over 5 images may be kept in bfloat16: each summand rounds by up to
    # 2**-8 of the sum so far, up or down.
    scale = float(tf.reduce_max(tf.abs(theirs)))
    atol = 2**-8 * math.sqrt(5 * side**2) * scale
    np.testing.assert_allclose(ours, theirs, atol=atol)


def test_images_need_not_be_square():
    # Of some kernels a gradient is nearly 0, and its relative error large.
    layer = Conv2D(2, 3, 2, kernel_initializer=GlorotUniform(seed=0))
    images = tf.random.stateless_normal([2, 3, 8, 1], [1, 2])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(images) ** 2)
    with tf.GradientTape() as reference:
        outputs = tf.nn.conv2d(images, layer.kernel.value, 2, "SAME")
        expected = tf.reduce_sum(outputs**2)
    np.testing.assert_allclose(
        tape.gradient(loss, layer.kernel.value),
        reference.gradient(expected, layer.kernel.value),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    "side,size,dtype,own",
    [
        (SMALL_MAP["float32"], 3, "float32", True),
        (SMALL_MAP["float32"] + 1, 3, "float32", False),
        (SMALL_MAP["float32"], 1, "float32", False),
        (SMALL_MAP["bfloat16"], 3, "mixed_bfloat16", True),
        (SMALL_MAP["bfloat16"] + 1, 3, "mixed_bfloat16", False),
    ],
)
def test_only_small_maps_have_the_other_gradient(
    side, size, dtype, own, monkeypatch
):
    calls = []
    kernel_gradient = convolution._kernel_gradient

    def spy(*args):
        calls.append(1)
        return kernel_gradient(*args)

    monkeypatch.setattr(convolution, "_kernel_gradient", spy)
    run(side, size, 1, dtype)
    assert bool(calls) == own


@pytest.mark.parametrize(
    "side,size,training,spread",
    [
        (TINY_MAP, 3, True, True),
        (TINY_MAP, 3, False, False),
        (TINY_MAP, 1, True, False),
        (TINY_MAP + 1, 3, True, False),
    ],
)
def test_only_tiny_maps_are_trained_by_products(
    side, size, training, spread, monkeypatch
):
    monkeypatch.setattr(
        convolution,
        "_multiply",
        lambda images, kernel, stride: tf.nn.conv2d(
            images, 0 * kernel, stride, "SAME"
        ),
    )
    (outputs, _, _), _ = run(side, size, 1, training=training)
    assert (not np.any(outputs)) == spread


def test_products_take_maps_that_are_not_square():
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(5, 1, 2, 3)), tf.float32)
    layer = Conv2D(4, 3, kernel_initializer=GlorotUniform(seed=0))
    np.testing.assert_allclose(
        layer(images, training=True),
        tf.nn.conv2d(images, layer.kernel.value, 1, "SAME"),
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_gpu_keeps_its_own_gradient(monkeypatch):
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: ["a GPU"]
    )
    monkeypatch.setattr(convolution, "_convolve", None)
    ours, theirs = run(4, 3, 1)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-5, atol=1e-5)


def test_unknown_sizes_are_taken():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, Conv2D(4, 3, 2)(inputs))
    assert model(np.zeros((2, 5, 9, 3), np.float32)).shape == (2, 3, 5, 4)


def test_a_layer_is_made_anew_of_its_configuration():
    layer = Conv2D(4, 3, 2, kernel_initializer="zeros", name="stem")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(again) is Conv2D
    assert again.get_config() == layer.get_config()
    assert again.padding == "same" and not again.use_bias


def test_weights_of_plain_convolutions_load(tmp_path):
    def model(layer):
        inputs = keras.Input((4, 4, 3))
        return keras.Model(inputs, layer(inputs))

    plain = keras.layers.Conv2D(2, 3, padding="same", use_bias=False)
    written = model(plain)
    written.save_weights(tmp_path / "a.weights.h5")
    read = model(Conv2D(2, 3))
    read.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(read.get_weights(), written.get_weights())


@pytest.mark.parametrize("channels", [8, FEW_CHANNELS - 1, FEW_CHANNELS])
def test_a_strided_1x1_kernel_has_the_gradient_of_the_picked_pixels(channels):
    # 56 pixels and fewer channels once ended the process.
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, 56, 56, channels)).astype(np.float32)
    layer = Conv2D(16, 1, 2)
    layer.build(images.shape)
    with tf.GradientTape() as tape:
        outputs = layer(images)
        loss = tf.reduce_sum(outputs**2)
    picked = images[:, ::2, ::2]
    np.testing.assert_allclose(
        tape.gradient(loss, layer.kernel.value)[0, 0],
        2 * np.einsum("bhwi,bhwo->io", picked, outputs),
        rtol=1e-4,
        atol=1e-2,
    )
