"""Settings of a fine-tuning, checked first."""

import dataclasses
from typing import NamedTuple

from byol_tf.checks import check_different, check_list, check_number

FINE_TUNED, FROZEN, SCRATCH = VARIANTS = ("fine-tuned", "frozen", "scratch")
ORIGINAL = "as it came"  # variant for runs that began with weights
OPTIMIZERS = ("sgd", "adamw", "lars")
BATCH_NORM = ("train", "frozen")
CHOOSE_BY = ("auto", "metric", "loss")
MIN_FOR_METRIC = 200  # with fewer examples, "auto" chooses by the loss


class Setting(NamedTuple):
    """A candidate setting.

    Attributes:
        learning_rate: for a batch of 256, scaled linearly.
        weight_decay: for weights of rank two and more.
    """

    learning_rate: float
    weight_decay: float


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a fine-tuning: fields of `configs/finetune.py`.

    They are explained there. `optimizer` and `momentum` are in its section
    `optimizer`. All `variants` use the same images in the same views for the
    same number of steps. "fine-tuned" trains all weights from the pretrained
    ones, "scratch" from random ones, "as it came" from those that the run began
    with, and "frozen" only the head, on the pretrained encoder in inference
    mode.
    """

    variants: tuple[str, ...]
    seed: int
    seeds: int
    grid_seeds: int
    learning_rates: tuple[float, ...]
    head_learning_rates: tuple[float, ...]
    weight_decays: tuple[float, ...]
    head_rate: float
    optimizer: str
    momentum: float
    batch_norm: str
    batch_size: int
    epochs: int
    min_steps: int
    max_steps: int
    warmup: float
    validation: float
    choose_by: str
    eval_every: int
    patience: int
    encode_batch: int

    def __post_init__(self):
        _check_choices("variants", self.variants, (*VARIANTS, ORIGINAL))
        _check_choices("optimizer.name", (self.optimizer,), OPTIMIZERS)
        _check_choices("batch_norm", (self.batch_norm,), BATCH_NORM)
        _check_choices("choose_by", (self.choose_by,), CHOOSE_BY)
        check_list("learning_rates", self.learning_rates, 1e-12)
        check_list("head_learning_rates", self.head_learning_rates, 1e-12)
        check_list("weight_decays", self.weight_decays, 0.0)
        for name in ("seeds", "grid_seeds", "epochs", "min_steps", "max_steps"):
            check_number(name, getattr(self, name), 1)
        for name in ("eval_every", "patience", "encode_batch"):
            check_number(name, getattr(self, name), 1)
        check_number("seed", self.seed, 0)
        check_number("batch_size", self.batch_size, 2)
        check_number("grid_seeds", self.grid_seeds, 1, self.seeds)
        check_number("head_rate", self.head_rate, 1e-12)
        check_number("optimizer.momentum", self.momentum, 0.0, 0.999999)
        check_number("warmup", self.warmup, 0.0, 0.999)
        check_number("validation", self.validation, 0.001, 0.999)

    def grid(self, variant: str) -> tuple[Setting, ...]:
        """Returns all settings of a variant, in the order they are tried."""
        frozen = variant == FROZEN
        rates = self.head_learning_rates if frozen else self.learning_rates
        return tuple(
            Setting(rate, decay)
            for rate in rates
            for decay in self.weight_decays
        )

    def chooses_by_loss(self, examples: int) -> bool:
        """Returns whether to choose by the loss for this number of examples."""
        return self.choose_by == "loss" or (
            self.choose_by == "auto" and examples < MIN_FOR_METRIC
        )

    def steps(self, examples: int) -> int:
        """Returns the steps of a training on this number of examples."""
        steps = round(self.epochs * examples / self.batch_size)
        return min(max(steps, self.min_steps), self.max_steps)


def _check_choices(name, values, allowed):
    wrong = [value for value in values if value not in allowed]
    if isinstance(values, str) or wrong or not values:
        raise ValueError(
            f"`{name}` must be of {', '.join(allowed)}. Received: {values!r}"
        )
    check_different(name, values)
