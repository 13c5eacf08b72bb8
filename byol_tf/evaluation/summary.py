"""All numbers of one encoder: kNN, linear, few-shot, collapse."""

import dataclasses

import numpy as np
from absl import logging

from byol_tf.checks import check_choice, check_number, check_positive
from byol_tf.evaluation.collapse import collapse_statistics
from byol_tf.evaluation.fewshot import few_shot_accuracy
from byol_tf.evaluation.knn import knn_accuracy
from byol_tf.evaluation.linear import ridge_classifier
from byol_tf.evaluation.logistic import unit_logistic

MIN_TEST = 100  # with fewer test examples, cross-validate
FOLDS = 5
SAMPLE_SIZE = 2000  # examples whose spread and rank are measured
RIDGE = "ridge"
CLASSIFIERS = {RIDGE: ridge_classifier, "logistic": unit_logistic}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How representations are evaluated.

    Attributes:
        knn_k: neighbours that vote.
        knn_temperature: temperature of the votes.
        knn_bank: largest number of labelled training examples that vote.
        shots: labels per class, for the few-shot accuracy.
        draws: random choices of these labels.
        max_train: largest number of labelled training examples.
        seed: seed of every choice.
        linear: linear classifier: "ridge", on standardised vectors; or
            "logistic", on unit vectors.
    """

    knn_k: int
    knn_temperature: float
    knn_bank: int
    shots: int
    draws: int
    max_train: int
    seed: int
    linear: str = RIDGE

    def __post_init__(self):
        check_number("knn_k", self.knn_k, 1)
        check_positive("knn_temperature", self.knn_temperature)
        check_number("knn_bank", self.knn_bank, 1)
        check_number("shots", self.shots, 1)
        check_number("draws", self.draws, 2)
        check_number("max_train", self.max_train, 2)
        check_number("seed", self.seed, 0)
        check_choice("linear", self.linear, sorted(CLASSIFIERS))


def summarize(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    num_classes: int,
    protocol: Protocol,
) -> dict[str, float]:
    """Evaluates representations with labels, or without.

    Everything that is chosen is chosen on the training part. If that part has
    fewer than two classes, the test part has no label, or a representation is
    not finite, only numbers that need no labels are returned.

    Args:
        train_features: float32 `[n, features]`.
        train_labels: int `[n]`, -1 if unknown.
        test_features: float32 `[m, features]`.
        test_labels: int `[m]`, -1 if unknown.
        num_classes: number of classes.
        protocol: sizes and seed.

    Returns:
        Accuracies in [0, 1] and statistics by name. With fewer than `MIN_TEST`
        test examples, the statistics include training examples, and kNN and
        linear accuracy come from a cross-validation; the few-shot accuracy does
        not.
    """
    measured = test_features
    if len(measured) < MIN_TEST:  # the rank of n vectors is below n
        measured = np.concatenate([measured, train_features])
    # Evenly spaced, since the files of a folder are sorted by class.
    sample = np.linspace(
        0, len(measured) - 1, min(len(measured), SAMPLE_SIZE)
    ).astype(int)
    result = collapse_statistics(measured[sample])
    finite = map(np.isfinite, (train_features, test_features))
    train_labelled, test_labelled = train_labels >= 0, test_labels >= 0
    classes = np.unique(train_labels[train_labelled])
    if (
        len(classes) < 2
        or not test_labelled.any()
        or not all(map(np.all, finite))
    ):
        return result
    train = train_features[train_labelled], train_labels[train_labelled]
    test = test_features[test_labelled], test_labels[test_labelled]
    result |= knn_summary(train, test, num_classes, protocol)
    fit = CLASSIFIERS[protocol.linear]
    result["linear_accuracy"] = _over_splits(
        lambda train, test: fit(*train, num_classes).accuracy(*test),
        _splits(train, test, protocol),
    )
    counts = np.bincount(train[1], minlength=num_classes)
    if counts.min() >= protocol.shots:
        few_shot = few_shot_accuracy(
            *train,
            *test,
            num_classes=num_classes,
            per_class=protocol.shots,
            draws=protocol.draws,
            seed=protocol.seed,
            fit=fit,
        )
        result["few_shot_accuracy"] = few_shot.mean
        result["few_shot_std"] = few_shot.std
    else:
        logging.info(
            "No accuracy with %d labels per class: a class has only %d.",
            *(protocol.shots, counts.min()),
        )
    return {key: float(value) for key, value in result.items()}


def knn_summary(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    num_classes: int,
    protocol: Protocol,
) -> dict[str, float]:
    """Measures the kNN accuracy of labelled vectors.

    With fewer than `MIN_TEST` test examples, cross-validates over them and the
    training examples that vote.

    Args:
        train: vectors float32 `[n, dim]` and labels int `[n]`.
        test: the same of the test examples.
        num_classes: number of classes.
        protocol: sizes and seed.

    Returns:
        `knn_accuracy` in [0, 1]; `tested`, the number of examples classified;
        `folds` of the cross-validation, 0 if only the test examples are used.
    """
    bank = bank_rows(len(train[1]), protocol)
    splits = _splits((train[0][bank], train[1][bank]), test, protocol)
    accuracy = _over_splits(
        lambda bank, queries: knn_accuracy(
            *bank,
            *queries,
            num_classes=num_classes,
            k=min(protocol.knn_k, len(bank[1])),
            temperature=protocol.knn_temperature,
        ),
        splits,
    )
    return {
        "knn_accuracy": float(accuracy),
        "tested": sum(len(test[1]) for _, test in splits),
        "folds": len(splits) if len(splits) > 1 else 0,
    }


def bank_rows(count: int, protocol: Protocol) -> np.ndarray:
    """Chooses which of `count` labelled examples vote, int64 `[n]`."""
    order = np.random.default_rng(protocol.seed).permutation(count)
    return order[: protocol.knn_bank]


def _splits(train, test, protocol):
    """Returns (train, test) as given, or of each fold if tests are few."""
    labels = np.concatenate([train[1], test[1]])
    several = np.count_nonzero(np.bincount(labels) > 1) > 1
    if len(test[1]) >= MIN_TEST or not several:
        return [(train, test)]
    features = np.concatenate([train[0], test[0]])
    order = np.random.default_rng(protocol.seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = [order[fold::FOLDS] for fold in range(FOLDS)]
    folds = [fold for fold in folds if len(fold)]
    others = [np.setdiff1d(order, fold) for fold in folds]
    return [
        ((features[a], labels[a]), (features[b], labels[b]))
        for a, b in zip(others, folds, strict=True)
    ]


def _over_splits(accuracy, splits):
    """Returns the share of hits among the test examples of all splits."""
    hits = [accuracy(*split) * len(split[1][1]) for split in splits]
    return sum(hits) / sum(len(test[1]) for _, test in splits)
