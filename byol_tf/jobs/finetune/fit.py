"""One training with validation: early stopping, and the best weights."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_tf.data.batches import training_batches
from byol_tf.data.examples import Examples
from byol_tf.jobs.finetune.settings import Setting, Settings
from byol_tf.jobs.finetune.trainer import FineTuner, Weights
from byol_tf.modalities.contract import Augment
from byol_tf.optim.schedules import WarmupCosine, scaled_learning_rate
from byol_tf.tasks.task import Arrays, take


class Targets(NamedTuple):
    """Examples and their targets, see `Task.targets`."""

    examples: Examples
    targets: Arrays

    def subset(self, index: np.ndarray) -> "Targets":
        """Selects the examples at these positions, in the given order."""
        return Targets(self.examples.subset(index), take(self.targets, index))


@dataclasses.dataclass(frozen=True)
class Fitted:
    """The result of a training.

    Attributes:
        setting: learning rate and weight decay.
        seed: seed of the repetition.
        metrics: validation metrics at the best step; `{}` if the training
            diverged before the first validation.
        score: see `score`, at the best step.
        weights: weights at the best step.
        step: the best step.
        steps: steps made.
        seconds: wall time of the steps.
    """

    setting: Setting
    seed: int
    metrics: dict[str, float]
    score: tuple[float, float]
    weights: Weights
    step: int
    steps: int
    seconds: float


class Choice(NamedTuple):
    """The setting chosen for a fraction and a variant.

    Attributes:
        trainings: trainings with that setting, one per seed.
        validation_by_setting: mean validation metric, in the order tried; minus
            infinity if a training diverged.
    """

    trainings: list[Fitted]
    validation_by_setting: dict[Setting, float]


def best_setting(
    trainings_by_setting: Mapping[Setting, Sequence[Fitted]], metric: str
) -> tuple[Setting, dict[Setting, float]]:
    """Returns the setting with the best mean score, and all mean metrics.

    Raises:
        ValueError: if every training diverged.
    """
    scores = {
        setting: np.mean([fitted.score for fitted in trainings], axis=0)
        for setting, trainings in trainings_by_setting.items()
    }
    best = max(scores, key=lambda setting: tuple(scores[setting]))
    if not np.isfinite(scores[best][0]):  # the other may be unknown
        rates = ", ".join(f"{setting.learning_rate:g}" for setting in scores)
        raise ValueError(
            f"no training came to a finite loss and {metric} on its "
            f"validation part (learning rates {rates}); try smaller "
            "--config.learning_rates, or more labels"
        )
    means = {
        setting: np.mean([_value(fitted.metrics, metric) for fitted in fits])
        for setting, fits in trainings_by_setting.items()
    }
    return best, {setting: float(mean) for setting, mean in means.items()}


def score(
    metrics: Mapping[str, float], metric: str, by_loss: bool = False
) -> tuple[float, float]:
    """Returns a sort key, higher is better; NaN is the worst.

    The key is the metric, then the negative loss; or the other way round.
    """
    pair = _value(metrics, metric), _value(metrics, "loss", -1.0)
    return pair[::-1] if by_loss else pair


def _value(metrics, name, sign=1.0):
    value = sign * metrics.get(name, math.nan)
    return -math.inf if math.isnan(value) else value


def fit(
    tuner: FineTuner,
    start: Weights,
    train: Targets,
    validation: Targets,
    *,
    settings: Settings,
    setting: Setting,
    seed: int,
    whole: bool,
    augment: Augment | None = None,
    on_steps: Callable[[int], object] = lambda steps: None,
) -> Fitted:
    """Trains, and keeps the weights that are best on the validation part.

    Every `eval_every` steps it validates by `score`. It stops after `patience`
    validations without improvement, or if a loss is not finite. Two calls with
    the same arguments give the same weights.

    Args:
        tuner: left with the last weights of the training.
        start: initial weights.
        train: examples to train on.
        validation: examples to choose by.
        settings: numbers.
        setting: learning rate and weight decay.
        seed: seed of order, views and dropout.
        whole: False: train only the head.
        augment: further augmentation of views with targets.
        on_steps: called with the number of steps done or skipped.
    """
    start_time = time.perf_counter()
    total = settings.steps(train.examples.num_examples)
    by_loss = settings.chooses_by_loss(validation.examples.num_examples)
    score_of = functools.partial(
        score, metric=tuner.task.metric, by_loss=by_loss
    )
    best, best_step, num_stale, weights = {}, 0, 0, start
    tuner.reset(start, seed)
    tuner.pace_head(train.examples, settings.encode_batch)
    step = 0
    for step, loss in _losses(
        tuner, train, settings, setting, seed, whole, augment
    ):
        on_steps(1)
        if step % settings.eval_every and step < total:
            continue
        metrics = tuner.judge(*validation, settings.encode_batch, by_loss)
        if not np.isfinite([float(loss), metrics["loss"]]).all():
            break
        num_stale += 1
        if not best or score_of(metrics) > score_of(best):
            best, best_step, num_stale = metrics, step, 0
            weights = _copy(tuner, start, whole)
        if num_stale >= settings.patience:
            break
    on_steps(total - step)
    seconds = round(time.perf_counter() - start_time, 3)
    return Fitted(
        setting, seed, best, score_of(best), weights, best_step, step, seconds
    )


def _losses(tuner, train, settings, setting, seed, whole, augment):
    """Yields `(steps done, loss)`, step by step."""
    total = settings.steps(train.examples.num_examples)
    warmup = min(round(settings.warmup * total), total - 1)
    peak = scaled_learning_rate(setting.learning_rate, settings.batch_size)
    rates = WarmupCosine(peak, total, warmup)(tf.range(total)).numpy()
    targets = tf.nest.map_structure(tf.constant, train.targets)
    change = None
    if augment is not None and augment.changes:
        change = augment.start(seed)
    for step, (images, positions) in enumerate(
        _batches(train, tuner.draw, settings.batch_size, seed, total)
    ):
        batch_targets = tf.nest.map_structure(
            functools.partial(tf.gather, indices=positions), targets
        )
        views, batch_targets = tuner.views(images, batch_targets, seed, step)
        if change is not None:
            views, batch_targets = change(views, batch_targets)
        loss = tuner.step(
            views,
            batch_targets,
            rate=float(rates[step]),
            decay=setting.weight_decay,
            whole=whole,
        )
        yield step + 1, loss


def _batches(train, draw, batch_size, seed, total):
    # Indices, to select the targets.
    return training_batches(
        train.examples.reduced(draw).numbered(),
        min(batch_size, train.examples.num_examples),
        seed=seed,
        num_steps=total,
    )


def _copy(tuner, start, whole):
    # A frozen encoder is not copied, since many trainings share its weights.
    weights = tuner.weights()
    return weights if whole else Weights(start.encoder, weights.head)
