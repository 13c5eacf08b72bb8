"""The numbers of one encoder: kNN, linear, few labels, collapse."""

import dataclasses

import numpy as np
from absl import logging

from byol_tf.checks import check_number, check_positive
from byol_tf.evaluation.collapse import collapse_statistics
from byol_tf.evaluation.fewshot import few_shot_accuracy
from byol_tf.evaluation.knn import knn_accuracy
from byol_tf.evaluation.linear import ridge_classifier


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How representations are judged.

    Attributes:
        knn_k: neighbours that vote.
        knn_temperature: of the votes.
        knn_bank: labelled training examples that vote, at most.
        shots: labels per class of the few-label accuracy.
        draws: random subsets of that size.
        max_train: labelled training examples that are used at all.
        seed: of every choice.
    """

    knn_k: int
    knn_temperature: float
    knn_bank: int
    shots: int
    draws: int
    max_train: int
    seed: int

    def __post_init__(self):
        check_number("knn_k", self.knn_k, 1)
        check_positive("knn_temperature", self.knn_temperature)
        check_number("knn_bank", self.knn_bank, 1)
        check_number("shots", self.shots, 1)
        check_number("draws", self.draws, 2)
        check_number("max_train", self.max_train, 2)
        check_number("seed", self.seed, 0)


def summarize(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    num_classes: int,
    protocol: Protocol,
) -> dict[str, float]:
    """Judges representations by training labels and test labels.

    Everything that is chosen is chosen on the training part. With fewer than
    two classes there, or where a representation is not finite, only the
    label-free numbers are given.

    Args:
        train_features: float32 `[n, features]`.
        train_labels: int `[n]`, -1 where unknown.
        test_features: float32 `[m, features]`.
        test_labels: int `[m]`, -1 where unknown.
        num_classes: number of classes.
        protocol: sizes and seed.

    Returns:
        Accuracies in [0, 1] and statistics by name.
    """
    result = collapse_statistics(test_features[:2000])
    finite = map(np.isfinite, (train_features, test_features))
    train_known, test_known = train_labels >= 0, test_labels >= 0
    classes = np.unique(train_labels[train_known])
    if len(classes) < 2 or not test_known.any() or not all(map(np.all, finite)):
        return result
    train = train_features[train_known], train_labels[train_known]
    test = test_features[test_known], test_labels[test_known]
    order = np.random.default_rng(protocol.seed).permutation(len(train[1]))
    bank = order[: protocol.knn_bank]
    result["knn_accuracy"] = knn_accuracy(
        train[0][bank],
        train[1][bank],
        *test,
        num_classes=num_classes,
        k=min(protocol.knn_k, len(bank)),
        temperature=protocol.knn_temperature,
    )
    classifier = ridge_classifier(*train, num_classes=num_classes)
    result["linear_accuracy"] = classifier.accuracy(*test)
    counts = np.bincount(train[1], minlength=num_classes)
    if counts.min() >= protocol.shots:
        few = few_shot_accuracy(
            *train,
            *test,
            num_classes=num_classes,
            per_class=protocol.shots,
            draws=protocol.draws,
            seed=protocol.seed,
        )
        result["few_shot_accuracy"] = few.mean
        result["few_shot_std"] = few.std
    else:
        logging.info(
            "No accuracy with %d labels per class: a class has only %d.",
            *(protocol.shots, counts.min()),
        )
    return {key: float(value) for key, value in result.items()}
