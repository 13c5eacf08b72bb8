"""Measures the same step in PyTorch, on two given views.

    python -m benchmarks.compiled.peer [NAME ...]

Needs only PyTorch and torchvision; prints a line per step. NAME is such as
`cifar10:256:eager` or `imagenet:256:compiled`: recipe, batch size and mode. The
optimizer is SGD, which takes less time than our LARS.
"""

import copy
import json
import statistics
import sys
import time

import torch
import torchvision
from torch import nn

from benchmarks.workers.peer_torch import update_average

DEVICE = "cuda"
HIDDEN, PROJECTION = 4096, 256
ROUNDS, SECONDS, WARM = 7, 1.5, 7
NAMES = (
    "cifar10:256:eager",
    "cifar10:256:compiled",
    "cifar10:1024:eager",
    "imagenet:256:eager",
    "imagenet:256:compiled",
)
SIDES = {"cifar10": 32, "imagenet": 224}


class Networks:
    """Online and target network, and the optimizer."""

    def __init__(self, recipe: str):
        encoder, features = encoder_of(recipe)
        self.online = nn.Sequential(encoder, head(features))
        self.online.to(DEVICE, memory_format=torch.channels_last)
        self.predictor = head(PROJECTION).to(DEVICE)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        parameters = [*self.online.parameters(), *self.predictor.parameters()]
        self.optimizer = torch.optim.SGD(
            parameters, 0.05, momentum=0.9, weight_decay=1e-6, fused=True
        )

    def loss(self, view1: torch.Tensor, view2: torch.Tensor) -> torch.Tensor:
        """Computes BYOL's loss, in bfloat16."""
        with torch.autocast(DEVICE, torch.bfloat16):
            predictions = [
                self.predictor(self.online(view)) for view in (view1, view2)
            ]
            with torch.no_grad():
                projections = [self.target(view) for view in (view2, view1)]
        similarity = nn.functional.cosine_similarity
        return sum(
            (2 - 2 * similarity(p.float(), z.float())).mean()
            for p, z in zip(predictions, projections, strict=True)
        )


def encoder_of(recipe: str) -> tuple[nn.Module, int]:
    """Makes a recipe's encoder; returns it and its vector length."""
    if recipe == "imagenet":
        encoder = torchvision.models.resnet50()
    else:
        encoder = torchvision.models.resnet18()
        encoder.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        encoder.maxpool = nn.Identity()
    features, encoder.fc = encoder.fc.in_features, nn.Identity()
    return encoder, features


def head(inputs: int) -> nn.Module:
    """Makes a projector or predictor."""
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.BatchNorm1d(HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, PROJECTION, bias=False),
    )


def two_views(batch: int, side: int) -> list[torch.Tensor]:
    """Makes two noisy copies of smooth random images, normalised."""
    generator = torch.Generator().manual_seed(0)
    low = torch.rand((batch, 3, 8, 8), generator=generator)
    images = nn.functional.interpolate(low, size=side, mode="bicubic")
    images = images.clamp(0, 1)
    views = []
    for _ in range(2):
        noise = 0.2 * torch.rand(images.shape, generator=generator) - 0.1
        view = ((images + noise - 0.45) / 0.225).to(DEVICE)
        views.append(view.contiguous(memory_format=torch.channels_last))
    return views


def measure(recipe: str, batch: int, compiled: bool) -> dict:
    """Returns images a second, and first and last loss on the same images."""
    torch.manual_seed(0)
    views = two_views(batch, SIDES[recipe])
    networks = Networks(recipe)
    loss_of = torch.compile(networks.loss) if compiled else networks.loss

    def step():
        loss = loss_of(*views)
        networks.optimizer.zero_grad()
        loss.backward()
        networks.optimizer.step()
        update_average(networks.target, networks.online, 0.99)
        return loss

    first = step().item()
    for _ in range(WARM):
        step().item()
    begin = time.perf_counter()
    step().item()
    count = max(3, int(SECONDS / (time.perf_counter() - begin)))
    rates = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(count):
            loss = step()
        torch.cuda.synchronize()
        rates.append(batch * count / (time.perf_counter() - begin))
    return {
        "images_per_second": statistics.median(rates),
        "range": [min(rates), max(rates)],
        "losses": [first, loss.item()],
    }


def main(*names: str) -> None:
    """Measures the named steps, or all, one after another."""
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    print(torch.__version__, torch.cuda.get_device_name())
    for name in names or NAMES:
        recipe, batch, mode = name.split(":")
        result = measure(recipe, int(batch), mode == "compiled")
        print(name, json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
