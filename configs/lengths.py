"""BYOL's settings for ImageNet by training length, interpolated.

They hold for a batch of 256 (learning rate, weight decay) or of 4096 (tau).
"""

import math
from typing import NamedTuple

import numpy as np

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
    """Returns the settings for a run of some length.

    Interpolates log-linearly between the official values at 40, 100, 300 and
    1000 epochs of ImageNet. The length is measured in images seen, so 1000
    epochs of 50,000 images are 39 of ImageNet. Learning rate and weight decay
    are constant beyond the ends. The memory of the target network,
    `-4096 / log(tau)` images, is constant above the longest preset; below the
    shortest it keeps its share of the run. The warm-up takes 10 epochs of the
    given dataset, at most a quarter of the run.

    Args:
        epochs: passes over the images.
        images: number of training images.

    Raises:
        ValueError: if one of them is not positive.

    Reference: the presets of the official code. The interpolation is this
    project's.
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


def _between(length, values):
    """Interpolates log-linearly; constant beyond the ends."""
    known, wanted = np.log(list(values)), np.log(list(values.values()))
    return float(np.exp(np.interp(math.log(length), known, wanted)))
