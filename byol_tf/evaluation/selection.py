"""Choice of a setting on a held-out part of the training examples."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from byol_tf.evaluation.knn import knn_accuracy
from byol_tf.evaluation.linear import LinearClassifier


@dataclasses.dataclass(frozen=True)
class Choice:
    """A chosen setting, and the accuracies that led to it.

    Attributes:
        value: the chosen setting.
        accuracies: accuracy on the held-out part, in [0, 1], by setting, in the
            order tried.
        classifier: fitted to all training examples with this setting; None for
            kNN, which has nothing to fit.
    """

    value: float
    accuracies: Mapping[float, float]
    classifier: LinearClassifier | None = None

    @property
    def at_edge(self) -> bool:
        """Returns whether the best setting is the smallest or largest tried."""
        settings = sorted(self.accuracies)
        return len(settings) > 1 and self.value in (settings[0], settings[-1])


def best_setting(accuracies: Mapping[float, float]) -> float:
    """Returns the setting with the highest accuracy; ties go to the first."""
    return max(accuracies, key=accuracies.__getitem__)


def choose_neighbours(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    *,
    num_classes: int,
    ks: Sequence[int],
    temperature: float,
) -> Choice:
    """Chooses the number of neighbours of weighted kNN.

    Args:
        features: float `[n, dim]` of the training examples, finite.
        labels: int `[n]` in [0, num_classes).
        held_out: bool `[n]`, the examples to classify by the others.
        num_classes: number of classes.
        ks: numbers to choose from; those above the number of other examples are
            left out.
        temperature: temperature of the votes.

    Raises:
        ValueError: if every number is too large.
    """
    bank = ~held_out
    possible = [k for k in ks if k <= bank.sum()]
    if not possible:
        raise ValueError(
            f"`ks` must hold a number of neighbours up to {bank.sum()}, the "
            f"training examples that are not held out. Received: {tuple(ks)}"
        )
    accuracies = knn_accuracy(
        features[bank],
        labels[bank],
        features[held_out],
        labels[held_out],
        num_classes=num_classes,
        k=possible,
        temperature=temperature,
    )
    return Choice(best_setting(accuracies), accuracies)
