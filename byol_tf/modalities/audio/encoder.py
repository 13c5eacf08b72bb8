"""Encoders of log-mel frames: convolutions, a network per frame, pooling.

The pooling adds mean and maximum over time. `byol_a` is the encoder of BYOL-A's
second version (arXiv:2204.07402, section IV): 2,048 features per frame from the
network, and 1,024 from the convolutions.
"""

import math
from collections.abc import Sequence

import keras
from keras import layers

from byol_tf.checks import check_choice
from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.convolution import Conv2D
from byol_tf.layers.heads import kernel_initializer

FRAMES = "frames"  # name of the level, in the order of time
# Channels of each block; stride of each in time, while all have a stride of two
# in bands; units of the network per frame, and its dropout.
ENCODERS = {
    "byol_a": ((64, 64), (2, 2), 2048, 0.3),
    "sound_small": ((16, 32, 64), (2, 2, 1), 512, 0.0),
    "sound_base": ((32, 64, 128), (2, 2, 1), 1024, 0.1),
}


def make_encoder(
    name: str,
    frames: int,
    bands: int,
    widths: Sequence[int] = (),
    dtype: str = "float32",
) -> keras.Model:
    """Makes an encoder with random weights.

    Args:
        name: a key of `ENCODERS`.
        frames, bands: size of the input.
        widths: channels of each block, instead of the name's own.
        dtype: dtype policy of the layers.

    Returns:
        Model from float32 `[batch, frames, bands]` to float32 `[batch,
        features]`; `graph.rebuild` makes one for more frames. Its layer
        "frames" returns the features of each frame, see `levels`.

    Raises:
        ValueError: for an unknown name, or unless there is one width per block.
    """
    check_choice("encoder.name", name, sorted(ENCODERS))
    default_widths, strides, units, dropout = ENCODERS[name]
    widths = tuple(widths or default_widths)
    if len(widths) != len(strides) or min(widths) < 1:
        raise ValueError(
            f"encoder.widths must have {len(strides)} positive numbers for "
            f"{name}. Received: {widths}"
        )
    build = _Builder(dtype)
    inputs = keras.Input((frames, bands), name="log_mel")
    x = layers.Reshape((-1, bands, 1), name="image", dtype=dtype)(inputs)
    for number, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        x = build.block(x, width, (stride, 2), f"block{number}")
    size = x.shape[2] * x.shape[3]
    local = layers.Reshape((-1, size), name="local", dtype=dtype)(x)
    deep = build.dense(local, units, "deep0")
    deep = layers.Dropout(dropout, name="dropout", dtype=dtype)(deep)
    deep = build.dense(deep, units, "deep1")
    level = layers.Concatenate(name=FRAMES, dtype=dtype)([local, deep])
    options = {"dtype": "float32"}
    mean = layers.GlobalAveragePooling1D(name="mean", **options)(level)
    maximum = layers.GlobalMaxPooling1D(name="max", **options)(level)
    outputs = layers.Add(name="pool", **options)([mean, maximum])
    return keras.Model(inputs, outputs, name="encoder")


def levels(model: keras.Model) -> dict[str, tuple[str, int]]:
    """Returns the frames as a level, with their stride in input frames."""
    if FRAMES not in {layer.name for layer in model.layers}:
        return {}
    pools = (m for m in model.layers if isinstance(m, layers.MaxPooling2D))
    return {FRAMES: (FRAMES, math.prod(pool.pool_size[0] for pool in pools))}


class _Builder:
    """Adds blocks to a functional graph."""

    def __init__(self, dtype):
        self.dtype = dtype

    def block(self, x, width, stride, name):
        options = {"kernel_initializer": kernel_initializer()}
        options |= {"name": f"{name}_conv", "dtype": self.dtype}
        x = Conv2D(width, 3, 1, **options)(x)
        x = FusedBatchNormalization(name=f"{name}_norm", dtype=self.dtype)(x)
        x = self.relu(x, name)
        pool = {"padding": "same", "name": f"{name}_pool"}
        return layers.MaxPooling2D(stride, **pool, dtype=self.dtype)(x)

    def dense(self, x, units, name):
        x = layers.Dense(units, name=f"{name}_dense", dtype=self.dtype)(x)
        return self.relu(x, name)

    def relu(self, x, name):
        name = f"{name}_relu"
        return layers.Activation("relu", name=name, dtype=self.dtype)(x)
