"""Few-shot accuracy: a linear classifier with a few labels per class."""

import dataclasses
from collections.abc import Callable

import numpy as np

from byol_tf.checks import check_number
from byol_tf.data.split import balanced_subset
from byol_tf.evaluation.linear import LinearClassifier, ridge_classifier


@dataclasses.dataclass(frozen=True)
class FewShot:
    """Accuracies over several random choices of the labelled examples.

    Attributes:
        mean: mean accuracy, in [0, 1].
        std: sample standard deviation (divided by draws - 1); 0 for one draw.
        accuracies: the accuracy of each draw.
    """

    mean: float
    std: float
    accuracies: tuple[float, ...]


def few_shot_accuracy(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    num_classes: int,
    per_class: int = 10,
    draws: int = 5,
    seed: int = 0,
    fit: Callable[..., LinearClassifier] = ridge_classifier,
) -> FewShot:
    """Measures a linear classifier trained on a few labels per class.

    Draw d uses the labels of `balanced_subset(..., seed + d)`, so encoders are
    compared on the same draws.

    Args:
        train_features: float `[n, dim]`.
        train_labels: int `[n]`, -1 for no label.
        test_features: float `[m, dim]`.
        test_labels: int `[m]`.
        num_classes: number of classes; labels are below it.
        per_class: labels per class.
        draws: number of draws.
        seed: seed of the first draw.
        fit: function of features, labels and number of classes that returns a
            classifier.

    Raises:
        ValueError: if `draws` is less than 1, and as `balanced_subset` and
            `ridge_classifier`.
    """
    check_number("draws", draws, 1)
    train_labels = np.asarray(train_labels)
    accuracies = []
    for draw in range(draws):
        chosen = balanced_subset(train_labels, per_class, seed + draw)
        classifier = fit(
            train_features[chosen], train_labels[chosen], num_classes
        )
        accuracies.append(classifier.accuracy(test_features, test_labels))
    std = float(np.std(accuracies, ddof=1)) if draws > 1 else 0.0
    return FewShot(float(np.mean(accuracies)), std, tuple(accuracies))
