"""Runs the same pretraining with lightly's transforms, heads and loss.

It follows lightly's CIFAR-10 benchmark, but learning rate and tau follow the
clock.
"""

import concurrent.futures
import functools
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import update_momentum

from benchmarks.workers import protocol
from benchmarks.workers.peer_lightly_augment import Arrays, two_views
from benchmarks.workers.peer_torch import PRECISIONS, autocast, encoder

# Else PyTorch keeps a process per core for compilation during training.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

# Hidden width and output of the heads; the second is lightly's benchmark's.
HEADS = {"slim": (512, 128), "wide": (1024, 256)}
RATE, TAU, WARMUP = 0.12, 0.99, 50
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Networks:
    """Online and target network, and the optimizer.

    Args:
        name: of the encoder, a key of `HEADS`.
        precision: type that the networks compute in.
        compiled: whether to compile the loss by `torch.compile`.
    """

    def __init__(
        self,
        name: str,
        precision: torch.dtype = torch.float32,
        compiled: bool = False,
    ):
        hidden, projection = HEADS[name]
        self.encoder, features = encoder(name)
        self.projector = BYOLProjectionHead(features, hidden, projection)
        self.predictor = BYOLPredictionHead(projection, hidden, projection)
        self.target_encoder, _ = encoder(name)
        self.target_projector = BYOLProjectionHead(features, hidden, projection)
        self.target_encoder.load_state_dict(self.encoder.state_dict())
        self.target_projector.load_state_dict(self.projector.state_dict())
        for module in (self.encoder, self.target_encoder):
            module.to(memory_format=torch.channels_last)
        networks = (self.encoder, self.projector, self.predictor)
        self.optimizer = torch.optim.SGD(
            itertools.chain(*(module.parameters() for module in networks)),
            RATE,
            momentum=0.9,
            weight_decay=5e-4,
        )
        self.criterion = NegativeCosineSimilarity()
        self.precision = precision
        self._loss_of = torch.compile(self._loss) if compiled else self._loss

    def step(self, view1, view2, share: float, number: int) -> torch.Tensor:
        """Updates both networks, at a share of the time."""
        cosine = (np.cos(np.pi * share) + 1) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1, number / WARMUP) * cosine
        tau = 1 - (1 - TAU) * cosine
        update_momentum(self.encoder, self.target_encoder, tau)
        update_momentum(self.projector, self.target_projector, tau)
        loss = self._loss_of(view1, view2)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _loss(self, view1, view2):
        views = [
            view.contiguous(memory_format=torch.channels_last)
            for view in (view1, view2)
        ]
        with autocast(self.precision):
            predictions = [
                self.predictor(self.projector(self.encoder(view)))
                for view in views
            ]
            with torch.no_grad():
                targets = [
                    self.target_projector(self.target_encoder(view)).float()
                    for view in views
                ]
        first = self.criterion(predictions[0].float(), targets[1])
        second = self.criterion(predictions[1].float(), targets[0])
        return 0.5 * (first + second)


class Run:
    """Networks and a data loader that are ready to train.

    Args:
        case: see `benchmarks.pretrain`.
    """

    def __init__(self, case: dict):
        torch.set_num_threads(protocol.threads())
        choice, self.info = in_a_process(
            fastest_networks, case["encoder"], case["batch"]
        )
        torch.manual_seed(case["seed"])
        self.case = case
        with np.load(case["images"]) as file:
            self.arrays = dict(file)
        self.networks = Networks(*choice)
        self.loader = loader_of(self.arrays["x_train"], case["batch"], 32)
        self.features = self._features("before")

    def go(self) -> dict:
        """Trains until the time is over, from the end of the first step."""
        budget, number, seconds, begin = self.case["budget_s"], 0, 0.0, None
        while seconds < budget:
            for view1, view2 in self.loader:
                share = min(1.0, seconds / budget)
                number += 1
                loss = self.networks.step(view1, view2, share, number)
                now = time.perf_counter()
                if begin is None:
                    begin, self.first_loss = now, loss.item()
                seconds = now - begin
                if seconds >= budget:
                    break
        self.last_loss = loss.item()
        return {"units": (number - 1) * self.case["batch"], "seconds": seconds}

    def finish(self) -> dict:
        """Writes the representations, before and after."""
        features = {**self.features, **self._features("after")}
        np.savez(self.case["features"], **features)
        # lightly's loss is minus the mean cosine; this is the paper's.
        first, last = (4 + 4 * x for x in (self.first_loss, self.last_loss))
        return {"first_loss": first, "last_loss": last}

    def _features(self, stage):
        rng = np.random.default_rng(0)
        train, test = self.arrays["x_train"], self.arrays["x_test"]
        bank = rng.permutation(len(train))[: self.case["labelled"]]
        queries = rng.permutation(len(test))[: self.case["queries"]]
        return {
            f"bank_{stage}": represent(self.networks.encoder, train[bank]),
            f"queries_{stage}": represent(self.networks.encoder, test[queries]),
            "bank_labels": self.arrays["y_train"][bank],
            "query_labels": self.arrays["y_test"][queries],
        }


def in_a_process(function: Callable, *args):
    """Calls a function in another process, to free its memory afterwards."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, *args).result()


def fastest_networks(name: str, batch: int) -> tuple[tuple, dict]:
    """Returns arguments of the fastest `Networks` on noise, and the times."""
    torch.set_num_threads(protocol.threads())
    views = [torch.rand(batch, 3, 32, 32) for _ in range(2)]
    choices = {
        f"{dtype}, {mode}": (name, precision, compiled)
        for dtype, precision in PRECISIONS.items()
        for mode, compiled in (("eager", False), ("compiled", True))
    }

    def maker(choice):
        networks = Networks(*choice)
        return lambda: networks.step(*views, 0.0, 1).item()

    variants = {
        name: functools.partial(maker, choice)
        for name, choice in choices.items()
    }
    _, info = protocol.fastest(variants)
    del info["first_loss"]  # of the noise
    return choices[info["variant"]], info


def loader_of(images, batch: int, size: int) -> torch.utils.data.DataLoader:
    """Makes shuffled batches of two views, with a process per core."""
    # Normalised in the workers and without blur, as lightly has it for
    # CIFAR-10; our configuration has no blur either.
    transform = two_views(
        size, normalize={"mean": MEAN, "std": STD}, gaussian_blur=0.0
    )
    return torch.utils.data.DataLoader(
        Arrays(images, len(images), transform),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=protocol.threads(),
        persistent_workers=True,
    )


@torch.no_grad()
def represent(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    """Computes vectors of uint8 images `[n, height, width, 3]`."""
    model.eval()
    mean, std = np.float32(MEAN), np.float32(STD)
    parts = []
    for start in range(0, len(images), 500):
        batch = (images[start : start + 500] / np.float32(255) - mean) / std
        parts.append(model(torch.from_numpy(batch).permute(0, 3, 1, 2)))
    model.train()
    return torch.cat(parts).numpy()


if __name__ == "__main__":
    protocol.serve(Run, "torch", "torchvision", "lightly", "pillow")
