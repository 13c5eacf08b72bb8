"""Merges the levels of an encoder into one fine feature map."""

from collections.abc import Mapping

import keras
import numpy as np

WIDTH = 64  # channels
_GROUPS = 8  # of group norm, since batches of large images are small


def neck(levels: Mapping[str, keras.KerasTensor], width: int = WIDTH):
    """Adds upsampled coarse levels to finer ones: a feature pyramid.

    Args:
        levels: feature maps `[batch, height, width, channels]` by name, with
            sides that are multiples of each other.
        width: channels of the result.

    Returns:
        float32 `[batch, height, width, width]`, as fine as the finest level.

    Raises:
        ValueError: for other sides.

    Reference: Lin et al. 2017, "Feature pyramid networks".
    """
    merged = None
    for level in sorted(levels.values(), key=lambda level: level.shape[1]):
        lateral = keras.layers.Conv2D(width, 1, dtype="float32")(level)
        if merged is not None:
            ratio = _ratio(lateral.shape[1:3], merged.shape[1:3])
            upsample = keras.layers.UpSampling2D(ratio, dtype="float32")
            lateral = keras.layers.Add(dtype="float32")(
                [lateral, upsample(merged)]
            )
        merged = lateral
    return block(merged, width)


def _ratio(fine, coarse):
    pairs = list(zip(fine, coarse, strict=True))
    if any(fine_side % coarse_side for fine_side, coarse_side in pairs):
        raise ValueError(
            f"the levels of the encoder have {fine[0]}x{fine[1]} and "
            f"{coarse[0]}x{coarse[1]} places, and one must be a multiple of "
            "the other; set --config.size to a multiple of 32"
        )
    return [fine_side // coarse_side for fine_side, coarse_side in pairs]


def block(maps: keras.KerasTensor, width: int = WIDTH) -> keras.KerasTensor:
    """Applies a 3x3 convolution, group norm and ReLU, in float32."""
    convolved = keras.layers.Conv2D(
        width,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype="float32",
    )(maps)
    norm = keras.layers.GroupNormalization(_GROUPS, dtype="float32")
    return keras.layers.ReLU(dtype="float32")(norm(convolved))


def with_coordinates(maps: keras.KerasTensor) -> keras.KerasTensor:
    """Appends to each cell how far right and down it lies, from -1 to 1.

    Convolutions cannot tell places apart otherwise: what looks alike, such as
    two paws or a mirror's image, can then differ by where it is.

    Args:
        maps: `[batch, height, width, channels]`, of a fixed size.

    Returns:
        float32 `[batch, height, width, channels + 2]`.

    Reference: Liu et al. 2018, "CoordConv".
    """
    _, height, width, _ = maps.shape
    down, across = (
        np.linspace(-1, 1, n, dtype="float32") for n in (height, width)
    )
    grid = np.stack(np.meshgrid(across, down), axis=-1)[None]
    ones = keras.ops.ones_like(maps[..., :2])
    return keras.ops.concatenate([maps, ones * grid], axis=-1)


def peaks_head(
    maps: keras.KerasTensor, count: int, name: str, prior: float = 0.01
) -> keras.KerasTensor:
    """Returns logits of `count` heatmaps, starting at a prior probability.

    Without a prior, the first steps would only learn that nearly all of a
    heatmap is background.

    Reference: Lin et al. 2017, "Focal loss", section 3.3.
    """
    bias = keras.ops.log(prior / (1 - prior))
    return keras.layers.Conv2D(
        count,
        1,
        kernel_initializer=keras.initializers.RandomNormal(0.0, 0.01),
        bias_initializer=keras.initializers.Constant(float(bias)),
        dtype="float32",
        name=name,
    )(block(maps))


def dense_levels(
    levels: Mapping[str, int], finest: int = 4, coarsest: int = 8
) -> tuple[str, ...]:
    """Names the levels for a neck, from fine to coarse.

    Args:
        levels: strides by name.
        finest: smallest stride to use, if there is such a level.
        coarsest: largest allowed stride of the first level.

    Raises:
        ValueError: if there is no level that is fine enough.
    """
    strides = sorted((stride, name) for name, stride in levels.items())
    chosen = [pair for pair in strides if pair[0] >= finest] or strides
    if not chosen or chosen[0][0] > coarsest:
        available = ", ".join(f"{name} (stride {s})" for s, name in strides)
        raise ValueError(
            f"this task needs a level of stride {coarsest} or finer; the "
            f"encoder has {available or 'none'}; pretrain one with smaller "
            "strides, such as encoder.stem=strided; points (not boxes) can "
            "also be learned from the vector: --config.task.head=vector"
        )
    return tuple(name for _, name in chosen)
