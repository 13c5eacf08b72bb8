"""Settings of a linear evaluation, checked first."""

import dataclasses

from byol_tf.checks import check_list, check_number

LEAST = 1e-12  # lower bound of positive numbers


@dataclasses.dataclass(frozen=True)
class SGDSettings:
    """The paper's protocol; `configs/eval_linear.py` explains the fields.

    Reference: BYOL, appendix D.1.
    """

    epochs: int
    batch_size: int
    learning_rates: tuple[float, ...]
    momentum: float
    random_encoder: bool

    def __post_init__(self):
        check_number("sgd.epochs", self.epochs, 0)
        check_number("sgd.batch_size", self.batch_size, 1)
        check_number("sgd.momentum", self.momentum, 0.0, 1.0)
        check_list("sgd.learning_rates", self.learning_rates, LEAST)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a linear evaluation: fields of `configs/eval_linear.py`.

    They are explained there. `jit_compile`: whether the step of SGD is compiled
    with XLA, encoder included. `unit`: whether logistic regressions use unit
    vectors.
    """

    sgd: SGDSettings
    holdout: float
    penalties: tuple[float, ...]
    neighbours: tuple[int, ...]
    temperature: float
    resamples: int
    level: float
    encode_batch: int
    seed: int
    jit_compile: bool
    unit: bool = False

    def __post_init__(self):
        check_number("holdout", self.holdout, 0.001, 0.999)
        check_number("knn.temperature", self.temperature, 1e-6)
        check_number("bootstrap.resamples", self.resamples, 1)
        check_number("bootstrap.level", self.level, 0.001, 0.999)
        check_number("encode_batch", self.encode_batch, 1)
        check_number("seed", self.seed, 0)
        check_list("logistic.penalties", self.penalties, LEAST)
        check_list("knn.neighbours", self.neighbours, LEAST)
