"""Folded models against the models they come from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.export.fold import fold_batch_norms
from byol_tf.layers import winograd
from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.modalities.image.resnet import make_resnet

SHAPE = (8, 8, 3)


def trained(model: keras.Model) -> keras.Model:
    """With weights as a training leaves them, where no statistic is 0 or 1."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.path.endswith(("gamma", "variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(rng.normal(size=variable.shape) * 0.3)
    return model


def norms(model: keras.Model) -> int:
    kinds = (FusedBatchNormalization, keras.layers.BatchNormalization)
    return sum(isinstance(layer, kinds) for layer in model.layers)


def check_the_same(model, folded, shape=SHAPE):
    images = np.random.default_rng(1).uniform(size=(3, *shape))
    expected = np.asarray(model(images.astype(np.float32), training=False))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(
        folded(images.astype(np.float32), training=False),
        expected,
        rtol=1e-4,
        atol=1e-5 * np.abs(expected).max(),
    )


@pytest.mark.parametrize(
    "name,options,left",
    [
        ("slim", {}, 0),
        ("resnet50", {"blocks": (1, 1), "widths": (2, 4)}, 0),
        # Its norms stand before the convolutions, behind sums and the stem.
        ("slim", {"pre_activation": True}, 5),
    ],
)
def test_a_resnet_computes_the_same_without_its_norms(name, options, left):
    encoder = trained(make_resnet(name, SHAPE, **options))
    folded = fold_batch_norms(encoder)
    assert norms(folded) == left < norms(encoder)
    check_the_same(encoder, folded)


def test_the_model_itself_is_left_alone():
    encoder = trained(make_resnet("slim", SHAPE))
    before = encoder.get_weights()
    fold_batch_norms(encoder)
    for value, old in zip(encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize("options", [{}, {"scale": False, "center": False}])
def test_norms_of_keras_and_biases_are_folded(options):
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, strides=2, groups=1)(inputs)
    x = keras.layers.BatchNormalization(**options)(x)
    model = trained(keras.Model(inputs, x))
    folded = fold_batch_norms(model)
    assert norms(folded) == 0
    check_the_same(model, folded)


def test_a_model_inside_a_model_is_folded():
    encoder = make_resnet("slim", SHAPE)
    inputs = keras.Input(SHAPE)
    model = trained(keras.Model(inputs, keras.layers.Dense(2)(encoder(inputs))))
    folded = fold_batch_norms(model)
    assert norms(folded.get_layer("encoder")) == 0
    check_the_same(model, folded)


def test_a_backbone_of_keras_applications_computes_the_same():
    shape = (32, 32, 3)
    model = trained(
        keras.applications.MobileNetV3Small(
            shape, weights=None, include_top=False, pooling="avg"
        )
    )
    folded = fold_batch_norms(model)
    assert 0 < norms(folded) < norms(model)
    check_the_same(model, folded, shape)


@pytest.fixture
def wide() -> keras.Model:
    """What Winograd's convolution is for, folded."""
    inputs = keras.Input((4, 4, 256))
    x = keras.layers.Conv2D(256, 3, padding="same")(inputs)
    x = keras.layers.BatchNormalization()(x)
    return fold_batch_norms(trained(keras.Model(inputs, x)))


def run(model, batch, **options):
    """Of a graph that does not know how many images there will be."""
    images = np.random.default_rng(0).normal(size=(batch, 4, 4, 256))
    spec = tf.TensorSpec([None, 4, 4, 256], tf.float32)
    call = tf.function(model, input_signature=[spec], **options)
    return call(tf.constant(images, tf.float32)).numpy()


def test_many_images_have_the_numbers_of_few(wide):
    many, few = run(wide, winograd.MANY), run(wide, winograd.MANY - 1)
    np.testing.assert_allclose(many[:-1], few, atol=1e-4 * few.std())


@pytest.mark.parametrize(
    "batch,options,taken",
    [
        (winograd.MANY, {}, True),
        (winograd.MANY - 1, {}, False),
        # Compiled graphs run anywhere, so it is left to what runs them.
        (winograd.MANY, {"jit_compile": True}, False),
    ],
)
def test_only_many_images_take_winograds(
    batch, options, taken, wide, monkeypatch
):
    monkeypatch.setattr(
        winograd, "convolve", lambda images, kernel: 0.0 * images
    )
    found = run(wide, batch, **options)
    assert (np.ptp(found[:, 0, 0], axis=0).max() == 0) == taken  # the bias


@pytest.mark.parametrize(
    "options",
    [{"padding": "valid"}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}],
)
def test_other_convolutions_have_no_branch_for_many_images(options):
    inputs = keras.Input((4, 4, 512))
    x = keras.layers.Conv2D(256, 3, **{"padding": "same", **options})(inputs)
    x = keras.layers.BatchNormalization()(x)
    model = fold_batch_norms(keras.Model(inputs, x))
    spec = tf.TensorSpec([None, 4, 4, 512], tf.float32)
    graph = tf.function(model).get_concrete_function(spec).graph
    assert "DeviceIndex" not in {op.type for op in graph.get_operations()}


def convolution_that_is_used_twice(inputs):
    x = keras.layers.Conv2D(4, 3)(inputs)
    return [keras.layers.BatchNormalization()(x), x]


def convolution_with_activation(inputs):
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    return keras.layers.BatchNormalization()(x)


def norm_of_another_axis(inputs):
    x = keras.layers.Conv2D(4, 3)(inputs)
    return keras.layers.BatchNormalization(axis=1)(x)


def half_precision(inputs):
    x = keras.layers.Conv2D(4, 3, dtype="mixed_bfloat16")(inputs)
    return keras.layers.BatchNormalization()(x)


@pytest.mark.parametrize(
    "layers",
    [
        convolution_that_is_used_twice,
        convolution_with_activation,
        norm_of_another_axis,
        half_precision,
    ],
)
def test_what_cannot_be_folded_is_left_alone(layers):
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers(inputs))
    assert fold_batch_norms(model) is model


def test_a_layer_of_two_calls_is_left_alone():
    inputs = keras.Input(SHAPE)
    convolution = keras.layers.Conv2D(3, 3, padding="same")
    x = keras.layers.BatchNormalization()(convolution(inputs))
    model = keras.Model(inputs, convolution(x))
    assert fold_batch_norms(model) is model


@pytest.mark.parametrize(
    "model", [keras.Sequential([keras.layers.Dense(2)]), keras.Model()]
)
def test_models_that_are_no_graphs_are_left_alone(model):
    assert fold_batch_norms(model) is model
