import keras
import numpy as np
import pytest

from byol_tf.layers.plain import to_fast, to_plain
from byol_tf.modalities.image.adapters import make_encoder, vector_encoder
from byol_tf.modalities.image.resnet import ResNet, make_resnet
from byol_tf.modalities.levels import find_levels, outputs_of
from tests.support.norms import randomise_norms

ENCODERS = ["slim", "applications/MobileNetV3Small", "keras_cv/resnet18_v2"]


def images(count=2, size=32, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((count, size, size, 3), np.float32)


def make(name, size=32):
    if "/" not in name:
        return randomise_norms(make_resnet(name, (size, size, 3)))
    if name.startswith("keras_cv"):
        pytest.importorskip("keras_cv")
    return randomise_norms(make_encoder(name, (size, size, 3)))


@pytest.fixture(scope="module", params=ENCODERS)
def pair(request, tmp_path_factory):
    """An encoder, and the same one saved plain and loaded."""
    model = make(request.param)
    path = tmp_path_factory.mktemp("levels") / "encoder.keras"
    to_plain(model).save(path)
    return model, to_fast(keras.saving.load_model(path))


def small_resnet(shape=(32, 32, 3), **arguments):
    return ResNet(shape, (1, 2, 1, 1), (4, 8, 8, 12), **arguments)


SHAPES = ((32, 32, 3), (None, None, 3), (20, 36, 3))
STEMS = ("small", "strided", "imagenet")
OPTIONS = (
    {},
    {"block": "bottleneck"},
    {"pre_activation": True},
    {"pre_activation": True, "always_project": True},
)


@pytest.mark.parametrize(  # every pair of two of the three
    "shape,stem,options",
    [
        (SHAPES[(i + k) % 3], stem, options)
        for i, stem in enumerate(STEMS)
        for k, options in enumerate(OPTIONS)
    ],
)
def test_those_of_a_resnet_are_its_pyramid(shape, stem, options):
    model = small_resnet(shape, stem=stem, **options)
    pyramid = {
        name: tensor._keras_history.operation.name
        for name, tensor in model.pyramid_level_inputs.items()
    }
    found = {name: layer for name, (layer, _) in find_levels(model).items()}
    if stem == "imagenet":  # its first map is no input of detectors
        last = "stem_conv" if options.get("pre_activation") else "stem_relu"
        assert found.pop("P1") == last
    assert found == pyramid


def test_strides_are_those_of_the_maps(pair):
    levels = find_levels(pair[0])
    strides = {f"P{k}": 2**k for k in range(1, len(levels) + 1)}
    assert {name: stride for name, (_, stride) in levels.items()} == strides
    maps = outputs_of(pair[0], levels, list(levels))(images())
    sides = {name: value.shape[1:3] for name, value in maps.items()}
    assert sides == {
        name: (32 // stride, 32 // stride) for name, stride in strides.items()
    }


def test_they_are_the_same_after_saving_and_loading(pair):
    model, copy = pair
    levels = find_levels(model)
    assert len(levels) >= 3
    assert find_levels(copy) == levels
    expected = outputs_of(model, levels, list(levels))(images())
    maps = outputs_of(copy, levels, list(levels))(images())
    for level, value in expected.items():
        np.testing.assert_allclose(maps[level], value, atol=1e-5)


def test_what_follows_the_last_level_gives_the_vector(pair):
    model, copy = pair
    levels = find_levels(copy)
    last = list(levels)[-1]
    rest = keras.Model(copy.get_layer(levels[last][0]).output, copy.output)
    maps = outputs_of(copy, levels, [last])(images())
    vectors = model(images())
    assert np.std(vectors) > 0.01
    np.testing.assert_allclose(rest(maps[last]), vectors, atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_another_input_size_gives_what_an_encoder_of_that_size_gives(name):
    model, large = make(name), make(name, size=64)
    large.set_weights(model.get_weights())
    levels, x = find_levels(model), images(size=64)
    names = list(levels)[1:]
    maps = outputs_of(model, levels, names, (64, 64, 3))(x)
    assert list(maps) == names
    expected = outputs_of(large, find_levels(large), names)(x)
    for level, value in expected.items():
        np.testing.assert_allclose(maps[level], value, atol=1e-5)


def test_sides_may_be_left_open():
    model = small_resnet()
    levels = find_levels(model)
    free = outputs_of(model, levels, ["P2"], (None, None, 3))
    for size in 32, 48:
        fixed = outputs_of(model, levels, ["P2"], (size, size, 3))
        x = images(size=size)
        np.testing.assert_allclose(free(x)["P2"], fixed(x)["P2"], atol=1e-6)


def test_the_encoder_stays_as_it_is():
    model = small_resnet()
    levels, before = find_levels(model), model(images()).numpy()
    other = outputs_of(model, levels, ["P3"], (64, 64, 3))
    for weight in other.weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(model(images()), before)
    assert find_levels(model) == levels


def test_of_the_own_size_it_shares_the_layers():
    model = small_resnet()
    maps = outputs_of(model, find_levels(model), ["P1"], (32, 32, 3))
    assert maps.get_layer("stem_conv") is model.get_layer("stem_conv")


@pytest.mark.parametrize("names", [["P3", "P7"], []])
def test_a_missing_level_is_refused_with_those_there_are(names):
    model = small_resnet()
    with pytest.raises(ValueError, match=r"P1 \(stride 2\).*P3 \(stride 8\)"):
        outputs_of(model, find_levels(model), names)


@pytest.mark.parametrize("shape", [(64, 64, 1), (64, 3)])
def test_a_shape_that_does_not_fit_is_refused(shape):
    model = small_resnet()
    with pytest.raises(ValueError, match="input_shape"):
        outputs_of(model, find_levels(model), ["P1"], shape)


def test_gates_of_one_pixel_and_padding_are_no_levels():
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, 2, padding="same", name="half")(inputs)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Multiply(name="gated")([x, gate])
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.Conv2D(4, 3, 2, name="quarter")(x)
    found = find_levels(keras.Model(inputs, x))
    assert found == {"P1": ("gated", 2), "P2": ("quarter", 4)}


def test_of_parallel_branches_the_map_that_joins_them_counts():
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 2, 2, name="joined")(inputs)
    branch = keras.layers.Conv2D(4, 3, padding="same", name="late")(x)
    branch = keras.layers.Conv2D(4, 2, 2)(branch)
    x = keras.layers.Conv2D(4, 2, 2)(x)
    x = keras.layers.Add(name="sum")([x, branch])
    found = find_levels(keras.Model(inputs, x))
    assert found == {"P1": ("joined", 2), "P2": ("sum", 4)}


def test_a_stride_of_three_is_no_level():
    inputs = keras.Input((36, 36, 3))
    x = keras.layers.Conv2D(4, 3, 3)(inputs)
    assert find_levels(keras.Model(inputs, x)) == {}


def test_an_encoder_of_one_size_alone_has_levels():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(4, 3, 2, padding="same", name="half"),
            layers.Conv2D(4, 3, 2, padding="same", name="quarter"),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
    found = find_levels(vector_encoder(model))
    assert found == {"P1": ("half", 2), "P2": ("quarter", 4)}


def test_levels_of_a_model_inside_the_model_are_found():
    inner = small_resnet()
    outer = vector_encoder(inner, scale=2.0)
    levels = find_levels(outer)
    assert levels == find_levels(to_plain(outer))
    assert levels == find_levels(inner)
    names = list(levels)
    maps = outputs_of(outer, levels, names)(images())
    expected = outputs_of(inner, levels, names)(2 * images())
    for level, value in expected.items():
        np.testing.assert_allclose(maps[level], value, atol=1e-5)


def test_vectors_have_no_levels():
    inputs = keras.Input((8,))
    assert find_levels(keras.Model(inputs, keras.layers.Dense(3)(inputs))) == {}
