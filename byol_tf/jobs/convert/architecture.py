"""Finds the ResNet of official names and shapes, and translates the names."""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
IMAGE_SIZE = 224  # side in pixels that the official encoders train on
STORED_SIZE = 256  # side before the centre crop
BASE_WIDTHS = (64, 128, 256, 512)
STEM = (7, 7, 3)  # shape of its kernel: height, width, channels

# Official depths: blocks per stage, and their kind.
DEPTHS = {
    "resnet18": ((2, 2, 2, 2), "basic"),
    "resnet34": ((3, 4, 6, 3), "basic"),
    "resnet50": ((3, 4, 6, 3), "bottleneck"),
    "resnet101": ((3, 4, 23, 3), "bottleneck"),
    "resnet152": ((3, 8, 36, 3), "bottleneck"),
    "resnet200": ((3, 24, 36, 3), "bottleneck"),
}

VARIABLES = {
    "w": "kernel",
    "scale": "gamma",
    "offset": "beta",
    "mean": "moving_mean",
    "variance": "moving_variance",
    "updates": "updates",
}
_BLOCK = re.compile(r"block_group_(\d+)/block_(\d+)/(\w+)/w")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A ResNet of the official family.

    Attributes:
        blocks: blocks per stage.
        widths: channels per stage, before a bottleneck's expansion.
        block: "basic" or "bottleneck".
        stem_width: channels of the stem.
        always_project: whether every first block of a stage has a projection.
        pre_activation: whether it is ResNet v2.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    block: str
    stem_width: int
    always_project: bool
    pre_activation: bool

    @property
    def name(self) -> str:
        """Name such as "resnet50", "resnet50_v2", or a description."""
        names = {depth: name for name, depth in DEPTHS.items()}
        name = f"resnet of {self.block} blocks {self.blocks}"
        if self.widths == tuple(self.width * width for width in BASE_WIDTHS):
            name = names.get((self.blocks, self.block), name)
        return f"{name}_v2" if self.pre_activation else name

    @property
    def width(self) -> float:
        """Multiple of the usual channels, in the first stage."""
        return self.widths[0] / BASE_WIDTHS[0]

    def arguments(self) -> dict:
        """Returns keyword arguments of `ResNet`, without `input_shape`."""
        return {
            **dataclasses.asdict(self),
            "stem": "imagenet",
            "mean": IMAGENET_MEAN,
            "std": IMAGENET_STD,
        }


def detect(arrays: Mapping[str, np.ndarray]) -> Architecture:
    """Finds the architecture that has these arrays.

    Args:
        arrays: arrays by official names, see `Checkpoint.arrays`.

    Raises:
        ValueError: if they are no ResNet of the official family. One line.
    """
    stem = _stem(arrays)
    stages, kernels = _blocks(arrays)
    first = [kernels[stage, 0] for stage in stages]
    return Architecture(
        blocks=tuple(stages.values()),
        widths=tuple(shapes["conv_0"][-1] for shapes in first),
        block="bottleneck" if "conv_2" in first[0] else "basic",
        stem_width=stem[3],
        always_project=all("shortcut_conv" in shapes for shapes in first),
        pre_activation="final_batchnorm/scale" in arrays,
    )


def _stem(arrays):
    shape = np.shape(arrays.get("initial_conv/w", ()))
    if len(shape) != 4 or shape[:3] != STEM:
        raise ValueError(
            "`initial_conv/w` must be [7, 7, 3, channels], as in every "
            f"official ResNet. Received: {list(shape) or 'no such array'}"
        )
    return shape


def _blocks(arrays):
    """Returns blocks per stage and `{(stage, block): {convolution: shape}}`."""
    kernels = {}
    for key, value in arrays.items():
        if match := _BLOCK.fullmatch(key):
            place = int(match[1]), int(match[2])
            kernels.setdefault(place, {})[match[3]] = np.shape(value)
    stages = {}
    for stage, _ in sorted(kernels):
        stages[stage] = stages.get(stage, 0) + 1
    expected = [(s, b) for s, count in stages.items() for b in range(count)]
    without_gaps = list(stages) == list(range(len(stages)))
    if not stages or not without_gaps or sorted(kernels) != expected:
        raise ValueError(
            "the blocks of the encoder must be numbered from 0 on without "
            f"gaps. Received: (stage, block) {sorted(kernels)}"
        )
    for place, shapes in kernels.items():
        if "conv_0" not in shapes:
            raise ValueError(
                "`block_group_{}/block_{}/conv_0/w` is missing".format(*place)
            )
    return stages, kernels


def our_name(key: str) -> tuple[str, str]:
    """Translates an official name to `(layer, variable)`.

    Raises:
        ValueError: if the official networks have no such name.
    """
    *modules, variable = key.split("/")
    if variable not in VARIABLES or not modules:
        raise ValueError(f"`{key}` is not a variable of an official encoder")
    layer = "_".join(modules).replace("block_group_", "stage")
    layer = layer.replace("block_", "block").replace("initial", "stem")
    layer = layer.replace("batchnorm", "norm")
    layer = re.sub(r"(conv|norm)_(\d+)$", r"\2_\1", layer)
    return layer, VARIABLES[variable]
