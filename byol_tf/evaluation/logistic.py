"""Multinomial logistic regression on frozen features."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging

from byol_tf.evaluation.linear import LinearClassifier
from byol_tf.evaluation.selection import Choice, best_setting
from byol_tf.evaluation.vectors import unit_rows

MAX_ITERATIONS = 500
PATIENCE = 3  # weaker penalties without improvement, then stop
UNIT_C = 10.0  # of features of unit length, scikit-learn's
_MAX_DENSITY = 0.1  # share of nonzero numbers, below which rows are sparse


def logistic_classifiers(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    penalties: Sequence[float],
    unit: bool = False,
) -> Iterator[LinearClassifier]:
    """Fits a classifier per penalty, each starting from the last one's weights.

    Minimises the mean cross-entropy plus `penalty / 2 |weights|^2` on
    standardised features with scikit-learn's `LogisticRegression`. The
    intercept is not penalised.

    Args:
        features: float `[n, dim]`, finite.
        labels: int `[n]` in [0, num_classes), with at least two classes.
        num_classes: number of classes; those without an example are never
            predicted.
        penalties: positive; fastest in descending order.
        unit: instead of standardising, scale each row to the length sqrt(dim),
            that of standardised rows on average; see `unit_logistic`.

    Yields:
        A `LinearClassifier` per penalty (its `alpha`), for features as they
        are; with `unit` a `UnitClassifier`.

    Raises:
        ValueError: if penalties, features or labels are invalid.
    """
    # Imported here since it takes a second.
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if not len(penalties) or not min(penalties) > 0:
        raise ValueError(
            "`penalties` must be positive numbers. "
            f"Received: penalties={penalties}"
        )
    scaler = StandardScaler(with_mean=not unit, with_std=not unit)
    features = np.asarray(features, np.float32)
    scaled = scaler.fit_transform(unit_rows(features) if unit else features)
    if unit:
        scaler.scale_ = np.full(features.shape[1], features.shape[1] ** -0.5)
        scaled = _sparse(scaled / scaler.scale_)
    model = LogisticRegression(warm_start=True, max_iter=MAX_ITERATIONS)
    for penalty in penalties:
        model.set_params(C=1 / (penalty * len(labels)))
        # On two busy cores, one thread was twenty times as fast as two.
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reported below
            model.fit(scaled, labels)
        if model.n_iter_.max() >= MAX_ITERATIONS:
            logging.warning(
                "Logistic regression with penalty %g stopped after %d "
                "iterations.",
                *(penalty, MAX_ITERATIONS),
            )
        yield _raw_classifier(model, scaler, num_classes, penalty)


def unit_logistic(
    features: np.ndarray, labels: np.ndarray, num_classes: int
) -> LinearClassifier:
    """Fits a logistic regression on features divided by their lengths.

    For sparse features such as TF-IDF, and features made from them. The penalty
    is fixed: scikit-learn's `C = UNIT_C`.

    Args:
        features: float `[n, dim]`, finite.
        labels: int `[n]` in [0, num_classes), with at least two classes.
        num_classes: number of classes; those without an example are never
            predicted.

    Returns:
        A `UnitClassifier`, for features as they are.
    """
    penalty = features.shape[1] / (UNIT_C * len(labels))
    options = {"num_classes": num_classes, "penalties": [penalty]}
    return next(logistic_classifiers(features, labels, unit=True, **options))


class UnitClassifier(LinearClassifier):
    """A linear classifier that scales its inputs to unit length."""

    def scores(self, features: np.ndarray) -> np.ndarray:
        return super().scores(unit_rows(features))


def choose_logistic(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    *,
    num_classes: int,
    penalties: Sequence[float],
    unit: bool = False,
) -> Choice:
    """Chooses the penalty on the held-out part, then fits all examples with it.

    Ties go to the strongest penalty. Weaker ones take longer to fit, so the
    search stops after three without improvement.

    Args:
        held_out: bool `[n]`.
        features, labels, num_classes, penalties, unit: see
            `logistic_classifiers`.
    """
    classifiers = logistic_classifiers(
        features[~held_out],
        labels[~held_out],
        num_classes=num_classes,
        penalties=sorted(penalties, reverse=True),
        unit=unit,
    )
    held_out_examples = features[held_out], labels[held_out]
    accuracies = {}
    for classifier in classifiers:
        accuracies[classifier.alpha] = classifier.accuracy(*held_out_examples)
        penalty = best_setting(accuracies)
        if list(accuracies).index(penalty) + PATIENCE < len(accuracies):
            break
    options = {"num_classes": num_classes, "penalties": [penalty]}
    (classifier,) = logistic_classifiers(features, labels, unit=unit, **options)
    return Choice(penalty, accuracies, classifier)


def _sparse(features):
    """Returns features as a sparse matrix if most are 0, which is faster."""
    from scipy.sparse import csr_matrix

    density = np.count_nonzero(features[:100]) / features[:100].size
    return csr_matrix(features) if density < _MAX_DENSITY else features


def _raw_classifier(model, scaler, num_classes, penalty):
    """Returns the classifier of raw features, with all classes."""
    weights, bias = _all_class_weights(model, scaler.scale_, num_classes)
    if scaler.mean_ is None:
        classifier_class = UnitClassifier
    else:
        classifier_class, bias = LinearClassifier, bias - scaler.mean_ @ weights
    return classifier_class(
        weights.astype(np.float32), bias.astype(np.float32), float(penalty)
    )


def _all_class_weights(model, scale, num_classes):
    """Returns weights and bias of a fitted model for raw features."""
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn only keeps the second class
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights = np.zeros((len(scale), num_classes))
    bias = np.full(num_classes, -np.inf)
    weights[:, model.classes_] = (coefficients / scale).T
    bias[model.classes_] = intercept
    return weights, bias
