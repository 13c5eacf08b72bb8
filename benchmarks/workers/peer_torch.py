"""Defines the same networks in PyTorch, as in lightly's BYOL example."""

import copy

import torch
from torch import nn

# Widths and blocks of the stages, stride of the stem, by name of our encoder;
# wide: that of configs/cifar10_cpu.py.
ENCODERS = {
    "slim": ((16, 32, 64, 128), (1, 1, 1, 1), 1),
    "wide": ((32, 64, 128, 256), (1, 1, 1, 1), 2),
    "resnet18": ((64, 128, 256, 512), (2, 2, 2, 2), 1),
    "resnet20": ((16, 32, 64), (3, 3, 3), 1),
}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, width, 1, stride, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def encoder(name: str) -> tuple[nn.Module, int]:
    """Makes an encoder with a 3x3 stem; returns it and its vector length."""
    widths, blocks, stride = ENCODERS[name]
    layers, inputs = stem(widths[0], stride), widths[0]
    for stage, (width, count) in enumerate(zip(widths, blocks)):  # noqa: B905
        for index in range(count):
            stride = 2 if stage and not index else 1
            layers.append(Block(inputs, width, stride))
            inputs = width
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers, *pool), inputs


def autocast(precision: torch.dtype) -> torch.autocast:
    """Returns the context in which networks compute in a precision."""
    enabled = precision == torch.bfloat16
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)


@torch.no_grad()
def update_average(average: nn.Module, source: nn.Module, tau: float) -> None:
    """Updates a moving average, in one call per operation."""
    parameters = list(average.parameters())
    torch._foreach_mul_(parameters, tau)
    torch._foreach_add_(parameters, list(source.parameters()), alpha=1 - tau)


def stem(width: int, stride: int) -> list[nn.Module]:
    """Returns convolution, batch norm and ReLU before the stages."""
    conv = nn.Conv2d(3, width, 3, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(width), nn.ReLU()]


def head(inputs: int, hidden: int, outputs: int) -> nn.Module:
    """Makes a projector or predictor."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class Networks:
    """Online network, predictor, and the target network without gradients."""

    def __init__(self, name: str, hidden: int, projection: int):
        self.encoder, features = encoder(name)
        projector = head(features, hidden, projection)
        self.online = nn.Sequential(self.encoder, projector)
        self.online = self.online.to(memory_format=torch.channels_last)
        self.predictor = head(projection, hidden, projection)
        self.target = copy.deepcopy(self.online)
        self.target.requires_grad_(False)

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters with gradients."""
        return [*self.online.parameters(), *self.predictor.parameters()]

    def update_target(self, tau: float) -> None:
        """Updates the moving average of the online network."""
        update_average(self.target, self.online, tau)

    def loss(
        self, view1: torch.Tensor, view2: torch.Tensor, precision: torch.dtype
    ) -> torch.Tensor:
        """Computes BYOL's loss, at most 8, in a precision."""
        with autocast(precision):
            predictions = [
                self.predictor(self.online(view)) for view in (view1, view2)
            ]
            with torch.no_grad():
                projections = [self.target(view) for view in (view2, view1)]
        similarity = nn.functional.cosine_similarity
        return sum(
            (2 - 2 * similarity(p.float(), z.float())).mean()
            for p, z in zip(predictions, projections)  # noqa: B905
        )
