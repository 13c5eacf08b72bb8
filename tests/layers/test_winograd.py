"""Winograd's convolution against TensorFlow's, in more digits."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.layers import winograd
from byol_tf.layers.convolution import Conv2D

EPS = np.finfo(np.float32).eps


def some(height, width, channels=5, filters=4, batch=3):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, height, width, channels))
    kernel = rng.normal(size=(3, 3, channels, filters))
    return tf.constant(images), tf.constant(kernel)


def results(convolve, images, kernel):
    """Outputs, and gradients of images and kernel."""
    weights = np.random.default_rng(1).normal(
        size=(*images.shape[:3], kernel.shape[-1])
    )
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        outputs = convolve(images, kernel)
    gradients = tape.gradient(
        outputs, [images, kernel], tf.cast(weights, images.dtype)
    )
    return [x.numpy() for x in (outputs, *gradients)]


def reference(images, kernel):
    return tf.nn.conv2d(images, kernel, 1, "SAME")


def error(own, exact):
    """The greatest difference, in standard deviations."""
    return np.max(np.abs(own - exact)) / np.std(exact)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "height,width", [(4, 4), (1, 1), (2, 3), (3, 8), (5, 7), (14, 6), (16, 16)]
)
def test_outputs_and_gradients_are_those_of_tensorflow(height, width, compiled):
    images, kernel = some(height, width)
    convolve = tf.function(winograd.convolve, jit_compile=compiled)
    ours = results(
        convolve, tf.cast(images, "float32"), tf.cast(kernel, "float32")
    )
    for own, exact in zip(
        ours, results(reference, images, kernel), strict=True
    ):
        assert error(own, exact) < 2e-5


def test_rounding_is_about_that_of_tensorflow():
    images, kernel = some(8, 8, 256, 256, batch=8)
    exact = results(reference, images, kernel)
    single = [tf.cast(x, "float32") for x in (images, kernel)]
    ours = results(winograd.convolve, *single)
    theirs = results(reference, *single)
    # Summands of an output, of gradients of images and of the kernel. Added up
    # one by one, each rounds the sum so far by up to half of EPS: a walk whose
    # deviation is EPS * sqrt(count / 24) of the result's. TensorFlow adds in
    # blocks, and rounds less.
    counts = 9 * 256, 9 * 256, 8 * 8 * 8
    for own, other, right, count in zip(
        ours, theirs, exact, counts, strict=True
    ):
        walk = EPS * np.sqrt(count / 24) * np.std(right)
        allowed = max(5 * np.std(other - right), 2 * walk)
        assert np.std(own - right) < allowed


def test_batch_need_not_be_known():
    images, kernel = (tf.cast(x, "float32") for x in some(4, 6))
    convolve = tf.function(
        lambda images: winograd.convolve(images, kernel),
        input_signature=[tf.TensorSpec([None, 4, 6, 5], tf.float32)],
    )
    assert convolve(images[:0]).shape == (0, 4, 6, 4)
    for batch in (1, 3):
        np.testing.assert_allclose(
            convolve(images[:batch]),
            reference(images[:batch], kernel),
            atol=1e-4,
        )


WIDE = 128


@pytest.mark.parametrize(
    "side,channels,filters,dtype,pays",
    [
        (4, WIDE, WIDE, "float32", True),
        (16, WIDE, WIDE, "float32", True),
        (17, WIDE, WIDE, "float32", False),
        (4, WIDE, WIDE - 1, "float32", False),
        (4, WIDE - 1, WIDE, "float32", False),
        (5, WIDE, WIDE, "float32", False),  # a tile reaches 3 pixels beyond
        (7, 2 * WIDE, 2 * WIDE, "float32", True),
        (1, 8 * WIDE, 8 * WIDE, "float32", False),
        (2, 8 * WIDE, 8 * WIDE, "float32", False),  # a dense layer is less
        (None, WIDE, WIDE, "float32", False),
        (4, WIDE, WIDE, "bfloat16", False),
    ],
)
def test_it_pays_where_channels_are_many(side, channels, filters, dtype, pays):
    images = tf.keras.Input([side, side, channels], dtype=dtype)
    kernel = tf.zeros([3, 3, channels, filters])
    assert winograd.pays(images, kernel, training=True) == pays


def test_outputs_alone_need_more_channels():
    for channels in (WIDE, 2 * WIDE):
        images = tf.zeros([1, 4, 4, channels])
        kernel = tf.zeros([3, 3, channels, channels])
        pays = winograd.pays(images, kernel, training=False)
        assert pays == (channels > WIDE)


def test_other_kernels_are_not_for_it():
    assert not winograd.pays(
        tf.zeros([1, 4, 4, WIDE]), tf.zeros([5, 5, WIDE, WIDE]), training=True
    )


@pytest.mark.parametrize(
    "batch,stride,training,taken",
    [
        (1, 1, True, True),
        (winograd.MANY, 1, False, True),
        (winograd.MANY - 1, 1, False, False),
        (winograd.MANY, 2, True, False),
    ],
)
def test_layer_takes_it_where_it_pays(
    batch, stride, training, taken, monkeypatch
):
    monkeypatch.setattr(
        winograd, "convolve", lambda images, kernel: 0.0 * images
    )
    layer = Conv2D(2 * WIDE, 3, stride)
    outputs = layer(tf.ones([batch, 4, 4, 2 * WIDE]), training=training)
    assert (not np.any(outputs)) == taken


def test_layer_leaves_batches_of_unknown_length_at_inference():
    layer = Conv2D(2 * WIDE, 3)
    graph = tf.function(layer).get_concrete_function(
        tf.TensorSpec([None, 4, 4, 2 * WIDE]), training=False
    )
    types = {op.type for op in graph.graph.get_operations()}
    assert "Conv2D" in types and not types & {"MatMul", "BatchMatMulV2"}
