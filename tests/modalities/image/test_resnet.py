import functools
import subprocess
import sys

import keras
import numpy as np
import pytest

from byol_tf.modalities.image.resnet import ENCODERS, ResNet, make_resnet
from tests.support.encoders import undrawn


def images(shape=(2, 32, 32, 3)):
    return np.random.default_rng(0).random(shape, np.float32)


@functools.cache
def encoder_of(name):
    """The encoder of a name, made once: the deepest takes seconds."""
    with undrawn():
        return make_resnet(name, (None, None, 3), stem="imagenet")


# Convolutions and norms of torchvision's models without their classifier.
PARAMETERS = {
    "resnet18": 11_176_512,
    "resnet34": 21_284_672,
    "resnet50": 23_508_032,
    "resnet200": 62_624_832,
}


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_trainable_parameters_are_those_of_the_paper(name):
    variables = encoder_of(name).trainable_variables
    count = sum(np.prod(variable.shape) for variable in variables)
    assert count == PARAMETERS[name]


@pytest.mark.parametrize(
    "name,features",
    [
        ("resnet18", 512),
        ("resnet34", 512),
        ("resnet50", 2048),
        ("resnet200", 2048),
        ("resnet20", 64),
        ("slim", 128),
    ],
)
def test_every_name_gives_a_vector(name, features):
    assert encoder_of(name).output_shape == (None, features)


def test_every_name_is_tested():
    assert set(ENCODERS) == {
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet200",
        "resnet20",
        "slim",
    }


@pytest.mark.parametrize(
    "stem,strides", [("small", 8), ("strided", 16), ("imagenet", 32)]
)
def test_stems_set_the_stride(stem, strides):
    encoder = ResNet((64, 64, 3), (1,) * 4, (4,) * 4, stem=stem)
    last = encoder.get_layer("stage3_block0_relu").output
    assert last.shape[1] == 64 // strides


@pytest.mark.parametrize("channels", [1, 2, 3, 13])
def test_any_number_of_channels(channels):
    encoder = ResNet((16, 16, channels), (1, 1), (4, 8))
    assert encoder(images((2, 16, 16, channels))).shape == (2, 8)


def test_images_are_normalised_inside():
    x = images()
    outputs = []
    for factor in (1.0, 2.0):
        keras.utils.set_random_seed(0)
        encoder = ResNet(
            (32, 32, 3), (1,), (4,), mean=factor * 0.3, std=factor * 0.2
        )
        outputs.append(encoder(factor * x))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)


def test_height_and_width_may_be_free():
    encoder = ResNet((None, None, 3), (1, 1), (4, 8))
    assert encoder(images((2, 20, 27, 3))).shape == (2, 8)


def test_the_pyramid_has_one_level_a_stride():
    encoder = ResNet((64, 64, 3), (1,) * 4, (4, 8, 16, 32), stem="imagenet")
    sizes = {
        level: (tensor.shape[1], tensor.shape[-1])
        for level, tensor in encoder.pyramid_level_inputs.items()
    }
    assert sizes == {"P2": (16, 4), "P3": (8, 8), "P4": (4, 16), "P5": (2, 32)}


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_saving_keeps_outputs_policy_and_pyramid(tmp_path, dtype):
    encoder = ResNet(
        (16, 16, 3), (1, 1), (4, 8), block="bottleneck", dtype=dtype
    )
    encoder(images((8, 16, 16, 3)), training=True)
    encoder.save(tmp_path / "encoder.keras")
    copy = keras.saving.load_model(tmp_path / "encoder.keras", safe_mode=True)
    x = images((2, 16, 16, 3))
    np.testing.assert_array_equal(copy(x), encoder(x))
    assert copy(x).dtype == "float32"
    layers = [
        layer.compute_dtype
        for layer in copy.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert set(layers) == {dtype.removeprefix("mixed_")}
    assert copy.pyramid_level_inputs.keys() == (
        encoder.pyramid_level_inputs.keys()
    )


def test_kernels_start_with_deviation_of_one_over_root_fan_in():
    keras.utils.set_random_seed(0)
    encoder = ResNet((32, 32, 3), (1,), (256,), stem_width=256)
    kernel = encoder.get_layer("stage0_block0_0_conv").kernel.numpy()
    # A normal cut at two deviations keeps 0.8796 of its deviation.
    expected = 0.8796 / np.sqrt(9 * 256)
    assert kernel.std() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "wrong,message",
    [
        ({"blocks": (1, 1)}, "blocks"),
        ({"widths": (0,)}, "widths"),
        ({"stem": "huge"}, "stem"),
        ({"block": "dense"}, "block"),
        ({"mean": (0.1, 0.2)}, "mean"),
        ({"input_shape": (8, 8)}, "input_shape"),
    ],
)
def test_impossible_arguments_are_refused(wrong, message):
    arguments = {
        "input_shape": (8, 8, 3),
        "blocks": (1,),
        "widths": (4,),
        **wrong,
    }
    with pytest.raises(ValueError, match=message):
        ResNet(**arguments)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"resnet18.*resnet19"):
        make_resnet("resnet19", (8, 8, 3))


@pytest.mark.slow
def test_importing_the_package_is_enough_to_load_an_encoder(tmp_path):
    ResNet((8, 8, 1), (1,), (4,)).save(tmp_path / "encoder.keras")
    code = (
        "import sys, byol_tf, keras\n"
        "print(keras.saving.load_model(sys.argv[1]).output_shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "encoder.keras"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "(None, 4)" in done.stdout
