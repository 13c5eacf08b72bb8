"""ResNet encoders: images to one representation vector each."""

from collections.abc import Sequence

import keras
from keras import layers

from byol_tf.checks import check_choice
from byol_tf.layers.batch_norm import FusedBatchNormalization
from byol_tf.layers.convolution import Conv2D
from byol_tf.layers.heads import kernel_initializer
from byol_tf.layers.normalization import Normalization

STEMS = {"small": (3, 1), "strided": (3, 2), "imagenet": (7, 2)}  # size, stride
BLOCKS = ("basic", "bottleneck")

# The options fixed by an encoder's name; all others are free.
ENCODERS = {
    "resnet18": {"blocks": (2, 2, 2, 2)},
    "resnet34": {"blocks": (3, 4, 6, 3)},
    "resnet50": {"blocks": (3, 4, 6, 3), "block": "bottleneck"},
    "resnet200": {"blocks": (3, 24, 36, 3), "block": "bottleneck"},
    "resnet20": {"blocks": (3, 3, 3), "widths": (16, 32, 64)},
    "slim": {"blocks": (1, 1, 1, 1), "widths": (16, 32, 64, 128)},
}


@keras.saving.register_keras_serializable("byol_tf")
class ResNet(keras.Model):
    """Encodes images by a ResNet that ends in global average pooling.

    Padding is SAME everywhere, as in the official code. Inputs are float32 in
    [0, 1], `[batch, height, width, channels]`, and are normalised inside. The
    output is float32 `[batch, features]`.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        blocks: residual blocks per stage.
        widths: channels per stage, before a bottleneck's expansion by 4.
        block: "basic" (two 3x3 convolutions) or "bottleneck".
        pre_activation: norm and ReLU before each convolution instead of after
            it, and once more at the end (ResNet v2).
        stem: "small" (3x3, for images up to about 64 pixels), "strided" (3x3
            with stride 2) or "imagenet" (7x7 with stride 2, then 3x3 max
            pooling with stride 2).
        stem_width: channels of the stem; None: `widths[0]`.
        always_project: use a projection shortcut in the first block of every
            stage even if the shapes agree.
        mean: mean per channel, subtracted; one number is used for all channels.
        std: standard deviation per channel, divided by.
        dtype: Keras dtype policy of the layers; the output is always float32.

    Attributes:
        pyramid_level_inputs: `{"P2": tensor, ...}`: the last feature map of
            every stride, for detectors.

    Raises:
        ValueError: if an argument has an invalid value.

    References: He et al. 2016a (v1), 2016b (v2); BYOL, section 3.3, which uses
    v1.
    """

    def __init__(
        self,
        input_shape: tuple,
        blocks: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        *,
        block: str = "basic",
        pre_activation: bool = False,
        stem: str = "small",
        stem_width: int | None = None,
        always_project: bool = False,
        mean: float | Sequence[float] = 0.5,
        std: float | Sequence[float] = 0.25,
        dtype=None,
        name: str = "encoder",
        **kwargs,
    ):
        blocks, widths = tuple(blocks), tuple(widths)
        _check(input_shape, blocks, widths, block, stem)
        policy = keras.dtype_policies.get(dtype)
        build = _Builder(policy, always_project, block, pre_activation)
        channels = input_shape[-1]
        mean, std = _per_channel(mean, channels), _per_channel(std, channels)
        inputs = keras.Input(input_shape, name="images")
        x = Normalization(
            mean=mean,
            variance=[value**2 for value in std],
            name="normalize",
            dtype=build.dtype,
        )(inputs)
        x = build.stem(x, stem, stem_width or widths[0])
        levels = {build.level: x}
        for stage, count in enumerate(blocks):
            x = build.stage(x, stage, count, widths[stage])
            levels[build.level] = x
        if pre_activation:
            x = build.relu(build.norm(x, "final"), "final")
            levels[build.level] = x
        outputs = layers.GlobalAveragePooling2D(name="pool", dtype="float32")(x)
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.pyramid_level_inputs = {
            f"P{level}": tensor for level, tensor in levels.items() if level
        }
        self._config = dict(
            input_shape=tuple(input_shape),
            blocks=blocks,
            widths=widths,
            block=block,
            pre_activation=pre_activation,
            stem=stem,
            stem_width=stem_width,
            always_project=always_project,
            mean=mean,
            std=std,
            dtype=build.dtype.name,
        )

    def get_config(self):
        base_config = {"name": self.name, "trainable": self.trainable}
        return {**self._config, **base_config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


class _Builder:
    """Adds stem, stages and blocks to a functional graph."""

    def __init__(self, dtype, always_project, block, pre_activation):
        self.dtype = dtype
        self.always_project = always_project
        self.block = block
        self.pre_activation = pre_activation
        self.residual = self.residual_v2 if pre_activation else self.residual_v1
        self.level = 0  # log2 of the stride so far

    def stem(self, x, name, width):
        size, stride = STEMS[name]
        x = self.convolution(x, width, size, stride, "stem")
        if not self.pre_activation:
            x = self.relu(self.norm(x, "stem"), "stem")
        self.level += stride > 1
        if name == "imagenet":
            x = layers.MaxPooling2D(
                3, 2, padding="same", name="stem_pool", dtype=self.dtype
            )(x)
            self.level += 1
        return x

    def stage(self, x, stage, count, width):
        for index in range(count):
            stride = 2 if stage and not index else 1
            project = self.always_project and not index
            name = f"stage{stage}_block{index}"
            plan = self.plan(width, stride)
            changes_shape = stride > 1 or x.shape[-1] != plan[-1][0]
            x = self.residual(x, plan, project or changes_shape, name)
            self.level += stride > 1
        return x

    def plan(self, width, stride):
        """Returns channels, size and stride of each convolution of a block."""
        if self.block == "bottleneck":
            return [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)]
        return [(width, 3, stride), (width, 3, 1)]

    def residual_v1(self, x, plan, project, name):
        shortcut = x
        if project:
            shortcut = self.shortcut(x, plan, name)
            shortcut = self.norm(shortcut, f"{name}_shortcut")
        for index, (channels, size, stride) in enumerate(plan):
            if index:
                x = self.relu(x, f"{name}_{index - 1}")
            x = self.convolution(x, channels, size, stride, f"{name}_{index}")
            x = self.norm(x, f"{name}_{index}")
        x = layers.Add(name=f"{name}_add", dtype=self.dtype)([x, shortcut])
        return self.relu(x, name)

    def residual_v2(self, x, plan, project, name):
        shortcut = x
        for index, (channels, size, stride) in enumerate(plan):
            x = self.norm(x, f"{name}_{index}")
            x = self.relu(x, f"{name}_{index}")
            if project and not index:
                shortcut = self.shortcut(x, plan, name)
            x = self.convolution(x, channels, size, stride, f"{name}_{index}")
        return layers.Add(name=f"{name}_add", dtype=self.dtype)([x, shortcut])

    def shortcut(self, x, plan, name):
        stride = max(step for _, _, step in plan)
        width = plan[-1][0]
        return self.convolution(x, width, 1, stride, f"{name}_shortcut")

    def convolution(self, x, width, size, stride, name):
        return Conv2D(
            width,
            size,
            stride,
            kernel_initializer=kernel_initializer(),
            name=f"{name}_conv",
            dtype=self.dtype,
        )(x)

    def norm(self, x, name):
        return FusedBatchNormalization(name=f"{name}_norm", dtype=self.dtype)(x)

    def relu(self, x, name):
        return layers.Activation("relu", name=f"{name}_relu", dtype=self.dtype)(
            x
        )


def make_resnet(name: str, input_shape: tuple, **overrides) -> ResNet:
    """Makes a ResNet from its name; arguments of `ResNet` override it.

    Args:
        name: a key of `ENCODERS`.
        input_shape: `(height, width, channels)`.
        **overrides: arguments of `ResNet`, such as `widths`.

    Raises:
        ValueError: for an unknown name.
    """
    check_choice("encoder.name", name, sorted(ENCODERS))
    return ResNet(input_shape, **{**ENCODERS[name], **overrides})


def _per_channel(value, channels: int) -> list[float]:
    values = [value] if isinstance(value, (int, float)) else list(value)
    values *= channels if len(values) == 1 else 1
    if len(values) != channels:
        raise ValueError(
            "`mean` and `std` must have one number, or one per channel "
            f"({channels}). Received: {value}"
        )
    return [float(v) for v in values]


def _check(input_shape, blocks, widths, block, stem):
    if len(input_shape) != 3 or not input_shape[-1]:
        raise ValueError(
            "`input_shape` must be (height, width, channels) with channels "
            f"known. Received: {input_shape}"
        )
    valid = all(isinstance(n, int) and n > 0 for n in blocks + widths)
    if not valid or not 0 < len(blocks) == len(widths):
        raise ValueError(
            "`blocks` and `widths` must have one positive number per stage. "
            f"Received: blocks={blocks}, widths={widths}"
        )
    check_choice("block", block, BLOCKS)
    check_choice("stem", stem, STEMS)
