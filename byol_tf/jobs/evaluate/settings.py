"""The numbers of a linear evaluation, checked before anything is done."""

import dataclasses

from byol_tf.checks import check_list, check_number

LEAST = 1e-12  # of numbers that must be positive


@dataclasses.dataclass(frozen=True)
class SGDSettings:
    """The paper's protocol.

    Attributes:
        epochs: passes over the training images; 0 leaves the protocol out.
        batch_size: images of one step.
        learning_rates: for a batch of 256, scaled linearly.
        momentum: Nesterov's.
        random_encoder: train on the random encoder as well.

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
    """Numbers of a linear evaluation.

    Attributes:
        sgd: the paper's protocol.
        holdout: share of the training images, of every class, by which
            learning rate, penalty and k are chosen.
        penalties: of logistic regression, see `logistic_classifiers`.
        neighbours: numbers of neighbours of kNN.
        temperature: of kNN's votes.
        resamples: of the bootstrap.
        level: of its intervals.
        encode_batch: images encoded at once.
        seed: of every draw.
        jit_compile: compile the step of SGD with XLA, encoder included.
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

    def __post_init__(self):
        check_number("holdout", self.holdout, 0.001, 0.999)
        check_number("knn.temperature", self.temperature, 1e-6)
        check_number("bootstrap.resamples", self.resamples, 1)
        check_number("bootstrap.level", self.level, 0.001, 0.999)
        check_number("encode_batch", self.encode_batch, 1)
        check_number("seed", self.seed, 0)
        check_list("logistic.penalties", self.penalties, LEAST)
        check_list("knn.neighbours", self.neighbours, LEAST)
