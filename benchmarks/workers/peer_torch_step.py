"""Runs the training step in PyTorch, on two given views."""

import functools

import numpy as np
import torch

from benchmarks.workers import protocol
from benchmarks.workers.peer_torch import PRECISIONS, Networks

SIZE = 32


def prepare(case: dict) -> protocol.Repeated:
    """Chooses the fastest of both precisions, eager and compiled."""
    views = [_channels_last(view) for view in two_views(case["batch"])]
    wraps = {"eager": lambda loss: loss}
    if case["compile"]:
        wraps["compiled"] = torch.compile
    variants = {
        f"{name}, {mode}": functools.partial(
            _steps, case, views, precision, wrap
        )
        for name, precision in PRECISIONS.items()
        for mode, wrap in wraps.items()
    }
    piece, info = protocol.fastest(variants)
    info["variant"] += ", channels_last"
    return protocol.Repeated(piece, case["batch"], case["seconds"], info)


def _steps(case, views, precision, wrap):
    torch.manual_seed(0)
    networks = Networks(case["encoder"], case["hidden"], case["projection"])
    loss_of = wrap(functools.partial(networks.loss, precision=precision))
    optimizer = torch.optim.SGD(
        networks.trainable_parameters(), 0.05, momentum=0.9, nesterov=True
    )

    def piece():
        loss = loss_of(*views)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        networks.update_target(0.99)
        return loss.item()

    return piece


def two_views(batch: int) -> list[np.ndarray]:
    """Makes two noisy copies of the same images, normalised as ours are."""
    rng = np.random.default_rng(0)
    shape = (batch, SIZE, SIZE, 3)
    images = rng.uniform(0.2, 0.8, shape).astype(np.float32)
    noise = rng.uniform(-0.2, 0.2, (2, *shape)).astype(np.float32)
    return [(images + part - 0.5) / 0.25 for part in noise]


def _channels_last(view):
    view = torch.from_numpy(view).permute(0, 3, 1, 2)
    return view.contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    torch.set_num_threads(protocol.threads())
    protocol.serve(prepare, "torch")
