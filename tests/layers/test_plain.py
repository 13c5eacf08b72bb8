import random

import keras
import numpy as np
import pytest

from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.convolution import Conv2D
from byol_tf.layers.normalization import Normalization
from byol_tf.layers.plain import to_fast, to_plain
from byol_tf.modalities.image.adapters import vector_encoder
from byol_tf.modalities.image.resnet import ResNet
from tests.support.norms import randomise_norms


def images(count=8, size=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((count, size, size, 3), np.float32)


def resnet(dtype="float32", **arguments):
    keras.utils.set_random_seed(0)
    encoder = ResNet((16, 16, 3), (1, 1), (4, 8), dtype=dtype, **arguments)
    for seed in range(3):
        encoder(images(seed=seed), training=True)
    return encoder


def stack(*layers, shape=(8, 8, 3)):
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize("pre_activation", [False, True])
@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_a_plain_resnet_holds_layers_of_keras_alone(stem, pre_activation):
    plain = to_plain(resnet(stem=stem, pre_activation=pre_activation))
    for layer in plain.layers:
        assert getattr(keras.layers, type(layer).__name__) is type(layer)


def test_a_plain_resnet_has_its_names_and_outputs():
    encoder = resnet()
    plain = to_plain(encoder)
    assert plain.name == encoder.name
    assert [x.name for x in plain.layers] == [x.name for x in encoder.layers]
    np.testing.assert_allclose(plain(images()), encoder(images()), atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_policies_stay(policy):
    encoder = resnet(policy)
    plain = to_plain(encoder)
    policies = [layer.dtype_policy.name for layer in encoder.layers]
    assert [layer.dtype_policy.name for layer in plain.layers] == policies
    assert [x.dtype_policy.name for x in to_fast(plain).layers] == policies


def test_frozen_layers_stay_frozen():
    encoder = resnet()
    encoder.get_layer("stem_norm").trainable = False
    fast = to_fast(to_plain(encoder))
    frozen = [layer.name for layer in fast.layers if not layer.trainable]
    assert frozen == ["stem_norm"]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("pre_activation", [False, True])
def test_there_and_back_gives_the_same_bits(policy, pre_activation):
    encoder = resnet(policy, pre_activation=pre_activation)
    fast = to_fast(to_plain(encoder))
    assert [type(x) for x in fast.layers] == [type(x) for x in encoder.layers]
    np.testing.assert_array_equal(fast(images()), encoder(images()))


def test_the_first_step_after_loading_keeps_the_moving_statistics():
    encoder = resnet()
    fast = to_fast(to_plain(encoder))
    x = images(seed=7) ** 2
    before, after = moved(fast, x)
    settled = resnet()
    for layer in settled.layers:
        if isinstance(layer, FusedBatchNormalization):
            layer.updates.assign(1e5)
    start, end = moved(settled, x)
    for old, new, a, b in zip(before, after, start, end, strict=True):
        np.testing.assert_array_equal(old, a)
        ordinary = np.abs(b - a).max()
        assert ordinary > 1e-5
        np.testing.assert_allclose(new - old, b - a, atol=1e-3 * ordinary)


def moved(model, x):
    """Moving statistics before and after a training step on x."""
    before = statistics(model)
    model(x, training=True)
    return before, statistics(model)


def statistics(model):
    return [
        weight.numpy()
        for layer in model.layers
        for weight in layer.non_trainable_weights
        if weight.name.startswith("moving")
    ]


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.99, 0.999])
def test_a_fast_batch_norm_moves_at_the_plain_ones_rate(decay):
    layers = keras.layers.BatchNormalization(momentum=decay, epsilon=1e-4)
    plain = stack(layers)
    fast = to_fast(plain)
    assert type(fast.layers[-1]) is FusedBatchNormalization
    for seed in range(2):
        x = images(size=8, seed=seed) + seed
        np.testing.assert_allclose(
            fast(x, training=True), plain(x, training=True), atol=1e-4
        )
    for ours, theirs in zip(statistics(fast), statistics(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


CONVOLUTION = {"padding": "same", "use_bias": False}


@pytest.mark.parametrize(
    "layer,twin",
    [
        (keras.layers.Conv2D(4, 3, **CONVOLUTION), Conv2D),
        (keras.layers.Conv2D(4, (1, 1), 2, **CONVOLUTION), Conv2D),
        (
            keras.layers.BatchNormalization(axis=3, name="last"),
            FusedBatchNormalization,
        ),
        (
            keras.layers.Normalization(mean=[1, 2, 3], variance=[1, 4, 9]),
            Normalization,
        ),
    ],
)
def test_a_layer_with_a_fast_twin_becomes_that(layer, twin):
    plain = stack(layer)
    fast = to_fast(plain)
    assert type(fast.layers[-1]) is twin
    x = images(size=8)
    np.testing.assert_allclose(fast(x), plain(x), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.Conv2D(4, 3, padding="same"),
        keras.layers.Conv2D(4, (3, 1), **CONVOLUTION),
        keras.layers.Conv2D(4, 3, (2, 1), **CONVOLUTION),
        keras.layers.Conv2D(4, 3, dilation_rate=2, **CONVOLUTION),
        keras.layers.Conv2D(4, 3, activation="relu", **CONVOLUTION),
        keras.layers.Conv2D(3, 3, groups=3, **CONVOLUTION),
        keras.layers.Conv2D(4, 3, kernel_regularizer="l2", **CONVOLUTION),
        keras.layers.DepthwiseConv2D(3, **CONVOLUTION),
        keras.layers.BatchNormalization(axis=1),
        keras.layers.BatchNormalization(scale=False),
        keras.layers.BatchNormalization(center=False),
        keras.layers.BatchNormalization(gamma_regularizer="l2"),
        keras.layers.Normalization(mean=1.0, variance=4.0, invert=True),
        keras.layers.Normalization(axis=1, mean=1.0, variance=4.0),
    ],
    ids=lambda layer: layer.name,
)
def test_a_layer_that_computes_something_else_stays(layer):
    plain = stack(layer)
    fast = to_fast(plain)
    assert type(fast.layers[-1]) is type(layer)
    np.testing.assert_array_equal(fast(images(size=8)), plain(images(size=8)))


def test_adapted_statistics_are_copied():
    layer = keras.layers.Normalization()
    layer.adapt(images(size=8) * 3 + 1)
    plain = stack(layer)
    for copy in to_plain(plain), to_fast(plain):
        np.testing.assert_allclose(
            copy(images(size=8)), plain(images(size=8)), atol=1e-6
        )


def test_models_within_the_model_become_one_graph():
    inner = stack(
        keras.layers.Conv2D(4, 3, name="pool"),
        keras.Sequential([keras.layers.Dense(5, name="dense")], name="deep"),
        shape=(16, 16, 3),
    )
    encoder = vector_encoder(inner, scale=2.0)
    plain = to_plain(encoder)
    names = [layer.name for layer in plain.layers]
    assert names == ["images", "rescale", f"{inner.name}_pool", "dense", "pool"]
    np.testing.assert_allclose(plain(images()), encoder(images()), atol=1e-6)


def test_a_keras_cv_backbone_of_release_0_2_becomes_plain(tmp_path):
    keras_cv = pytest.importorskip("keras_cv")
    backbone = keras_cv.models.ResNetV2Backbone(
        stackwise_filters=[64, 8],
        stackwise_blocks=[2, 2],
        stackwise_strides=[1, 2],
        block_type="basic_block",
        include_rescaling=False,
        input_shape=(16, 16, 3),
    )
    # Adapters of 0.2 called the backbone as one layer.
    inputs = keras.Input((16, 16, 3), name="images")
    maps = backbone(inputs)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    keras.Model(inputs, outputs).save(tmp_path / "encoder.keras")
    encoder = keras.saving.load_model(tmp_path / "encoder.keras")
    randomise_norms(encoder.layers[1])
    plain = to_plain(encoder)
    inner = [layer.name for layer in backbone.layers[1:]]
    assert [x.name for x in plain.layers] == ["images", *inner, "pool"]
    assert {type(x).__module__.split(".")[0] for x in plain.layers} == {"keras"}
    for copy in plain, to_fast(plain):
        np.testing.assert_allclose(copy(images()), encoder(images()), atol=1e-5)


def test_a_layer_used_twice_stays_one_layer():
    inputs = keras.Input((4,))
    layer = keras.layers.Dense(4)
    model = keras.Model(inputs, layer(layer(inputs)) + 1.0)
    plain = to_plain(model)
    assert len(plain.weights) == 2
    x = np.random.default_rng(0).random((3, 4), np.float32)
    np.testing.assert_allclose(plain(x), model(x), atol=1e-6)


def test_weights_are_copies():
    encoder = resnet()
    plain = to_plain(encoder)
    before = encoder(images()).numpy()
    for weight in plain.weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(encoder(images()), before)


def test_later_random_numbers_are_as_without_it():
    encoder = resnet()
    random.seed(0)
    to_fast(to_plain(encoder))
    drawn = random.random()
    random.seed(0)
    assert drawn == random.random()


def test_what_is_no_graph_of_layers_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="functional or sequential"):
        to_plain(Subclassed())


def test_initializers_stay():
    encoder = resnet()
    for copy in to_plain(encoder), to_fast(to_plain(encoder)):
        for layer in copy.layers:
            if isinstance(layer, keras.layers.Conv2D):
                twin = encoder.get_layer(layer.name)
                config = layer.get_config()["kernel_initializer"]
                assert config == twin.get_config()["kernel_initializer"]
