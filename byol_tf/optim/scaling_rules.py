"""Scaling of learning rate and tau with the batch size.

A recipe gives learning rate and weight decay for a batch of 256 and tau for one
of `tau_batch`, or says that they hold for any. `configs/lengths.py` adapts them
to the length of a run.
"""

import math

from byol_tf.checks import check_choice, check_number, check_positive
from byol_tf.optim.schedules import check_tau, scaled_learning_rate

RULES = ("linear", "sqrt", "none")


def scaled_tau(tau: float, batch_size: int, tau_batch: int) -> float:
    """Scales tau to a batch size: `tau ** (batch_size / tau_batch)`.

    The target then averages over as many images as before.

    Args:
        tau: decay of the target network in [0, 1] for a batch of `tau_batch`.
        batch_size: images per update.
        tau_batch: batch size of `tau`; 0: use `tau` for every batch size.

    Reference: Busbridge et al. 2023, "How to Scale Your EMA".
    """
    check_tau(tau)
    check_number("tau_batch", tau_batch, 0)
    return tau ** (batch_size / tau_batch) if tau_batch else tau


def learning_rate_and_decay(
    base_lr: float, weight_decay: float, batch_size: int, rule: str = "linear"
) -> tuple[float, float]:
    """Scales learning rate and weight decay from a batch of 256.

    "linear" multiplies the rate by `batch / 256` (LARS, SGD), "sqrt" by its
    square root (Adam, whose steps do not shrink with the gradient's noise), and
    "none" leaves both as they are. An update shrinks weights by rate times
    decay. With "sqrt" the decay is scaled so that weights shrink equally per
    image; with "linear" it stays the same.

    Args:
        base_lr: learning rate for a batch of 256.
        weight_decay: for the same batch size.
        batch_size: images per update.
        rule: "linear", "sqrt" or "none".

    References: Goyal et al. 2017; Malladi et al. 2022; Wang and Aitchison 2024.
    """
    check_positive("base_lr", base_lr)
    check_number("weight_decay", weight_decay, 0)
    check_choice("lr_rule", rule, RULES)
    linear = scaled_learning_rate(base_lr, batch_size)
    if rule == "linear":
        return linear, weight_decay
    root = math.sqrt(batch_size / 256) if rule == "sqrt" else 1.0
    return base_lr * root, weight_decay * root
