"""Folded models against the models they come from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.export.fold import fold_batch_norms
from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.plain import to_plain
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


def test_a_model_inside_a_model_is_folded_once_it_is_one_graph():
    encoder = make_resnet("slim", SHAPE)
    inputs = keras.Input(SHAPE)
    model = trained(keras.Model(inputs, keras.layers.Dense(2)(encoder(inputs))))
    folded = fold_batch_norms(to_plain(model))
    assert norms(folded) == 0
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


def graph_of(model, shape):
    spec = tf.TensorSpec([None, *shape], tf.float32)
    return tf.function(model).get_concrete_function(spec).graph


def test_the_graph_is_plain_and_does_not_ask_where_it_runs():
    """Of many channels too, whose convolution trains in another way."""
    encoder = make_resnet("slim", SHAPE, blocks=(1,), widths=(256,))
    graph = graph_of(fold_batch_norms(trained(encoder)), SHAPE)
    kinds = {op.type for op in graph.get_operations()}
    assert "Conv2D" in kinds
    assert not kinds & {"DeviceIndex", "If", "StatelessIf", "MatMul", "Case"}


def test_a_vector_does_not_depend_on_how_many_images_met():
    inputs = keras.Input((4, 4, 256))
    x = keras.layers.Conv2D(256, 3, padding="same")(inputs)
    x = keras.layers.BatchNormalization()(x)
    folded = fold_batch_norms(trained(keras.Model(inputs, x)))
    images = np.random.default_rng(0).normal(size=(64, 4, 4, 256))
    images = images.astype(np.float32)
    spec = tf.TensorSpec([None, 4, 4, 256], tf.float32)
    call = tf.function(folded, input_signature=[spec])
    few = call(images[:3]).numpy()
    np.testing.assert_allclose(
        call(images).numpy()[:3], few, atol=1e-5 * few.std()
    )


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


def test_an_adapted_normalization_goes_with_the_folded_model():
    scale = keras.layers.Normalization()
    scale.adapt(np.random.default_rng(2).uniform(3, 9, (20, *SHAPE)))
    inputs = keras.Input(SHAPE)
    outputs = keras.layers.Conv2D(4, 3, use_bias=False)(scale(inputs))
    outputs = keras.layers.BatchNormalization()(outputs)
    model = keras.Model(inputs, outputs)
    folded = fold_batch_norms(model)
    assert norms(folded) == 0
    check_the_same(model, folded)
