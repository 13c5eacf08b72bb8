"""Keras callbacks that show whether the encoder learns, while it learns.

They work with `fit` and with `training.loop.pretrain`. Those that measure
add to the logs of an epoch; those that report (`training.logs`) come after.
"""

import time
import warnings
from collections.abc import Callable

import keras
import numpy as np

from byol_tf.checks import check_number
from byol_tf.evaluation.collapse import collapse_statistics, diagnose
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.knn import knn_accuracy


class CollapseWarning(UserWarning):
    """The representation has collapsed, or is about to."""


class NotFiniteWarning(UserWarning):
    """The loss or the representation is NaN or infinite."""


class _EveryEpochs(keras.callbacks.Callback):
    """Measures at the end of every n-th epoch, and at the last."""

    def __init__(self, every: int = 1):
        super().__init__()
        check_number("every", every, 1)
        self.every = every
        self.seconds = 0.0

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not last:
            return
        start = time.perf_counter()
        measured = self.measure()
        if logs is not None:
            logs.update(measured)
        self.seconds += time.perf_counter() - start

    def measure(self) -> dict[str, float]:
        raise NotImplementedError


class KNNMonitor(_EveryEpochs):
    """Weighted kNN accuracy of held-out labelled inputs.

    Args:
        extractor: `FeatureExtractor` of the encoder being trained.
        bank: inputs whose labels vote, `[n, ...]`.
        bank_labels: int `[n]`.
        queries: inputs that are classified, `[m, ...]`; not test data if
            anything is chosen by this number.
        query_labels: int `[m]`.
        num_classes: number of classes.
        k: neighbours.
        temperature: of their votes.
        every: epochs between two measurements.

    Adds `knn_accuracy` to the logs of an epoch.
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
    """Statistics of the representation, and a warning when it collapses.

    Args:
        extractor: `FeatureExtractor` of the encoder being trained.
        inputs: inputs to look at, `[n, ...]`; some hundreds do.
        every: epochs between two measurements.
        stop: end the training on collapse or NaN.
        pair: None, or `pair() -> (predictions, projections)`, the outputs of
            the online and of the target network for the two views of some
            inputs, `[n, projection_size]` each.

    Adds the keys of `collapse_statistics` to the logs of an epoch. Warns with
    `CollapseWarning` or `NotFiniteWarning`, once for each diagnosis.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        inputs: np.ndarray,
        *,
        every: int = 1,
        stop: bool = False,
        pair: Callable | None = None,
    ):
        super().__init__(every)
        self.extractor = extractor
        self.inputs = inputs
        self.stop = stop
        self.pair = pair
        self.diagnosis = None

    def measure(self):
        representations = self.extractor(self.inputs)
        online, target = self.pair() if self.pair else (None, None)
        statistics = collapse_statistics(representations, online, target)
        self._react(diagnose(statistics))
        return statistics

    def on_train_batch_end(self, batch, logs=None):
        # Reading a number waits for the device, so not at every step.
        if batch % 50 or not logs or np.isfinite(float(logs["loss"])):
            return
        self._react(diagnose({}, loss=float(logs["loss"])))

    def _react(self, diagnosis):
        if diagnosis is None:
            return
        if self.diagnosis is None or diagnosis.name != self.diagnosis.name:
            kind = CollapseWarning
            if diagnosis.name == "not_finite":
                kind = NotFiniteWarning
            warnings.warn(
                f"{diagnosis.name}: {diagnosis.advice}", kind, stacklevel=2
            )
        self.diagnosis = diagnosis
        if self.stop:
            self.model.stop_training = True
