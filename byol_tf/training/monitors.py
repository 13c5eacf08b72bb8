"""Keras callbacks that measure whether the encoder learns.

They work with `fit` and with `training.loop.pretrain`. Place them before the
callbacks that report (`training.logs`), since they add to the logs of an epoch.
"""

import time
import warnings
from collections.abc import Callable, Sequence

import keras
import numpy as np

from byol_tf.checks import check_number
from byol_tf.evaluation.collapse import (
    MILDER,
    collapse_statistics,
    diagnose,
    rank_advice,
    rank_fell,
)
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.knn import knn_accuracy


class CollapseWarning(UserWarning):
    """Warns that the representation has collapsed, or is about to."""


class NotFiniteWarning(UserWarning):
    """Warns that the loss or the representation is NaN or infinite."""


class _EveryEpochs(keras.callbacks.Callback):
    """Measures at the end of every n-th epoch and of the last."""

    def __init__(self, every: int = 1):
        super().__init__()
        check_number("every", every, 1)
        self.every = every
        self.seconds = 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Measures if it is due, and adds the numbers to `logs`."""
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not last:
            return
        start = time.perf_counter()
        measurements = self.measure()
        if logs is not None:
            logs.update(measurements)
        self.seconds += time.perf_counter() - start

    def measure(self) -> dict[str, float]:
        """Measures now; returns numbers by the names that they have in logs."""
        raise NotImplementedError


class KNNMonitor(_EveryEpochs):
    """Logs the weighted kNN accuracy on held-out labelled inputs.

    Adds `knn_accuracy` to the logs of an epoch, 0 if a representation is not
    finite.

    Args:
        extractor: `FeatureExtractor` of the encoder being trained.
        bank: inputs whose labels vote, `[n, ...]`.
        bank_labels: int `[n]`.
        queries: inputs to classify, `[m, ...]`. Do not use test data if you
            choose anything by this number.
        query_labels: int `[m]`.
        num_classes: number of classes.
        k: number of neighbours.
        temperature: temperature of their votes.
        every: epochs between two measurements.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        bank: np.ndarray,
        bank_labels: np.ndarray,
        queries: np.ndarray,
        query_labels: np.ndarray,
        *,
        num_classes: int,
        k: int = 20,
        temperature: float = 0.07,
        every: int = 1,
    ):
        super().__init__(every)
        self.extractor = extractor
        self.bank, self.bank_labels = bank, bank_labels
        self.queries, self.query_labels = queries, query_labels
        self.num_classes = num_classes
        self.k = k
        self.temperature = temperature

    def measure(self):
        bank = self.extractor(self.bank)
        queries = self.extractor(self.queries)
        if not (np.isfinite(bank).all() and np.isfinite(queries).all()):
            return {"knn_accuracy": 0.0}
        accuracy = knn_accuracy(
            bank,
            self.bank_labels,
            queries,
            self.query_labels,
            num_classes=self.num_classes,
            k=self.k,
            temperature=self.temperature,
        )
        return {"knn_accuracy": float(accuracy)}


class CollapseMonitor(_EveryEpochs):
    """Logs statistics of the representation and warns when it collapses.

    Adds the keys of `collapse_statistics` to the logs of an epoch. Warns with
    `CollapseWarning` or `NotFiniteWarning` once per diagnosis, and once if the
    rank falls below half of its value before the first step.

    Args:
        extractor: `FeatureExtractor` of the encoder being trained.
        inputs: inputs to measure on, `[n, ...]`; some hundreds suffice.
        every: epochs between two measurements.
        stop: whether to end the training on collapse or NaN.
        pair: None, or `pair() -> (predictions, projections)`, the outputs of
            the online and of the target network for the two views of some
            inputs, `[n, projection_size]` each.
        keep: None, or a function called with the representations `[n, dim]` at
            each measurement.
        milder: advice on views if the rank falls.
        stronger: field of the strength of the views, see `diagnose`.

    Attributes:
        diagnosis: the last one, or None.
        first_rank: the effective rank before the first step; None until then.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        inputs: np.ndarray,
        *,
        every: int = 1,
        stop: bool = False,
        pair: Callable | None = None,
        keep: Callable | None = None,
        milder: str = MILDER,
        stronger: str = "",
    ):
        super().__init__(every)
        self.extractor = extractor
        self.inputs = inputs
        self.milder, self.stronger = milder, stronger
        self.stop = stop
        self.pair = pair
        self.keep = keep
        self.diagnosis = None
        self.first_rank = None
        self._rank_warned = False

    def on_train_begin(self, logs=None):
        """Measures the rank before the first step."""
        if self.first_rank is None:
            first = collapse_statistics(self.extractor(self.inputs))
            self.first_rank = first["effective_rank"]

    def measure(self):
        representations = self.extractor(self.inputs)
        if self.keep:
            self.keep(representations)
        online, target = self.pair() if self.pair else (None, None)
        statistics = collapse_statistics(representations, online, target)
        self._react(diagnose(statistics, stronger=self.stronger))
        self._warn_of_rank(statistics["effective_rank"])
        return statistics

    def _warn_of_rank(self, rank):
        if self.first_rank is None or not rank_fell(self.first_rank, rank):
            return
        if not self._rank_warned:
            warnings.warn(
                f"the effective rank fell from {self.first_rank:.0f} before "
                f"training to {rank:.0f}: the representation loses directions. "
                f"If it does not rise again, {rank_advice(self.milder)}.",
                CollapseWarning,
                stacklevel=2,
            )
        self._rank_warned = True

    def on_train_batch_end(self, batch, logs=None):
        """Warns of a loss that is NaN or infinite; checks every 50 steps."""
        # Not at every step, since reading a number waits for the device.
        if batch % 50 or not logs or np.isfinite(float(logs["loss"])):
            return
        self._react(diagnose({}, loss=float(logs["loss"])))

    def _react(self, diagnosis):
        if diagnosis is None:
            return
        if self.diagnosis is None or diagnosis.name != self.diagnosis.name:
            category = CollapseWarning
            if diagnosis.name == "not_finite":
                category = NotFiniteWarning
            warnings.warn(
                f"{diagnosis.name}: {diagnosis.advice}", category, stacklevel=2
            )
        self.diagnosis = diagnosis
        if self.stop:
            self.model.stop_training = True


class FirstMinute(keras.callbacks.Callback):
    """Measures once within the first epoch, if it takes longer than a minute.

    Place it after the callbacks that report.

    Args:
        monitors: callbacks with `measure() -> dict`.
        reports: callbacks whose `on_epoch_end` gets the results.
        seconds: delay after the first step, whose compilation does not count.
    """

    def __init__(
        self,
        monitors: Sequence[keras.callbacks.Callback],
        reports: Sequence[keras.callbacks.Callback],
        seconds: float = 60.0,
    ):
        super().__init__()
        self.monitors, self.reports = monitors, reports
        self.seconds = seconds

    def on_train_begin(self, logs=None):
        self.waiting = int(self.model.step.numpy()) == 0
        self.due = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if self.due is None:
            self.due = now + self.seconds
        if not self.waiting or now < self.due:
            return
        self.waiting = False
        measurements = {}
        for monitor in self.monitors:
            measurements.update(monitor.measure())
        for report in self.reports:
            report.on_epoch_end(None, measurements)
        names = ("knn_accuracy", "agreement", "effective_rank")
        results = [
            f"{n} {measurements[n]:.3g}" for n in names if n in measurements
        ]
        print(f"\nAt step {batch + 1}: {', '.join(results)}", flush=True)

    def on_epoch_end(self, epoch, logs=None):
        # No early measurement is needed once an epoch was measured.
        self.waiting = self.waiting and "effective_rank" not in (logs or {})
