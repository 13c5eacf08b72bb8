"""Learning rate, warm-up, weight decay and tau for any batch and any length.

The length decides what a recipe is (`by_length`); its values hold for a batch
of 256 (learning rate, weight decay) or of 4096 (tau), and are brought to
another batch by `learning_rate_and_decay` and `scaled_tau`.
"""

import math
from typing import NamedTuple

import numpy as np

from byol_tf.optim.schedules import scaled_learning_rate

RULES = ("linear", "sqrt")
IMAGENET = 1_281_167  # training images
BATCH = 4096  # of the official presets
WARMUP_EPOCHS = 10.0  # of the official presets
WARMUP_SHARE = 0.25  # of the run at most, as in the official 40 epochs


class Recipe(NamedTuple):
    """Values of a run with LARS."""

    base_lr: float  # for a batch of 256, scaled linearly
    weight_decay: float
    tau: float  # at step 0, for a batch of 4096
    warmup_epochs: float


# Official values by epochs of ImageNet.
PRESETS = {
    40: Recipe(0.45, 1e-6, 0.97, WARMUP_EPOCHS),
    100: Recipe(0.45, 1e-6, 0.99, WARMUP_EPOCHS),
    300: Recipe(0.3, 1e-6, 0.99, WARMUP_EPOCHS),
    1000: Recipe(0.2, 1.5e-6, 0.996, WARMUP_EPOCHS),
}


def by_length(epochs: float, images: int = IMAGENET) -> Recipe:
    """The recipe for a run of some length.

    The official values at 40, 100, 300 and 1000 epochs of ImageNet, and what
    lies between them on straight lines of logarithms. What counts is how many
    images are seen, so that 1000 epochs of 50,000 images are 39 of ImageNet.
    Beyond the ends learning rate and weight decay stay. The time over which
    the target averages, `-4096 / log(tau)` images, stays above the upper end;
    below the lower it stays the same share of the run. The warm-up is 10
    epochs of the data at hand, and a quarter of the run at most.

    Args:
        epochs: passes over the images.
        images: of the training set.

    Raises:
        ValueError: if one of them is not positive.

    Reference: the presets of the official code; between and below them the
    rule is this project's.
    """
    if not (epochs > 0 and images > 0):
        raise ValueError(
            "a recipe needs a positive number of epochs and of images. "
            f"Received: epochs={epochs}, images={images}"
        )
    length = epochs * images / IMAGENET
    shortest = min(PRESETS)
    memory = _between(
        length, {e: -BATCH / math.log(r.tau) for e, r in PRESETS.items()}
    )
    memory *= min(length / shortest, 1.0)
    values = (
        _between(length, {e: r.base_lr for e, r in PRESETS.items()}),
        _between(length, {e: r.weight_decay for e, r in PRESETS.items()}),
        math.exp(-BATCH / memory),
        min(WARMUP_EPOCHS, WARMUP_SHARE * epochs),
    )
    return Recipe(*(float(f"{value:.6g}") for value in values))


def scaled_tau(tau: float, batch_size: int, tau_batch: int) -> float:
    """Tau of a batch, from that of another: `tau ** (batch / tau_batch)`.

    The target then averages over as many images as before, and with a
    learning rate that follows the batch the run takes the same course.

    Args:
        tau: decay of the target network in [0, 1] at a batch of `tau_batch`.
        batch_size: images of one update.
        tau_batch: 0 if `tau` holds for every batch.

    Reference: Busbridge et al. 2023, "How to Scale Your EMA".
    """
    return tau ** (batch_size / tau_batch) if tau_batch else tau


def learning_rate_and_decay(
    base_lr: float, weight_decay: float, batch_size: int, rule: str = "linear"
) -> tuple[float, float]:
    """Learning rate and weight decay of a batch, from those of 256.

    "linear" multiplies the rate by `batch / 256` (LARS, SGD), "sqrt" by its
    square root (Adam, whose steps do not shrink with the gradient's noise).
    Weights shrink by rate times decay at each update; the decay follows so
    that they shrink as much for each image: "linear" leaves it.

    Args:
        base_lr: at a batch of 256.
        weight_decay: likewise.
        batch_size: images of one update.
        rule: "linear" or "sqrt".

    References: Goyal et al. 2017; Malladi et al. 2022; Wang and Aitchison
    2024.
    """
    linear = scaled_learning_rate(base_lr, batch_size)
    if rule == "linear":
        return linear, weight_decay
    root = math.sqrt(batch_size / 256)
    return base_lr * root, weight_decay * root


def _between(length, values):
    """Straight between known points in logarithms, level beyond the ends."""
    known, wanted = np.log(list(values)), np.log(list(values.values()))
    return float(np.exp(np.interp(math.log(length), known, wanted)))
