"""Results of a linear evaluation: numbers, table and figure."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.evaluation import confusion
from byol_tf.evaluation.accuracy import bootstrap_interval, top_k_hits
from byol_tf.evaluation.knn import knn_predict
from byol_tf.evaluation.selection import Choice
from byol_tf.reports.report import format_table

SETTINGS = {"sgd": "learning_rate", "logistic": "penalty", "knn": "k"}
COLUMNS = {
    "sgd": "linear (SGD)",
    "logistic": "logistic regression",
    "knn": "kNN",
}
_TOP = 5


class Outcome(NamedTuple):
    """Outcome of one protocol on the test images."""

    choice: Choice  # the setting that was tested
    seconds: float  # of choosing and fitting
    predictions: np.ndarray  # int [test images]
    hits: np.ndarray  # bool [test images]
    top_hits: np.ndarray | None  # of the five best classes
    accuracy_by_k: Mapping[int, float]  # of kNN


def checked_test(test: Examples, train: Examples) -> Examples:
    """Returns the labelled images of a test set.

    Raises:
        ValueError: if there are none, or a label is not below the number of
            training classes.
    """
    is_labelled = test.labels >= 0
    if not is_labelled.any():
        raise ValueError(f"{test.name} has no test example with a label")
    if not is_labelled.all():
        test = test.subset(np.flatnonzero(is_labelled))
    if test.labels.max() >= train.num_classes:
        raise ValueError(
            f"the test examples of {test.name} have labels up to "
            f"{test.labels.max()}, the training examples only up to "
            f"{train.num_classes - 1}"
        )
    return test


def apply_classifiers(
    choices: Mapping[str, tuple[Choice, float]],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    num_classes: int,
    temperature: float,
) -> dict[str, Outcome]:
    """Applies the fitted classifiers to the test images.

    Args:
        choices: choice and seconds by protocol.
        train: features `[n, d]` and labels `[n]`, the bank of kNN.
        test: features and labels.
        num_classes: number of classes.
        temperature: temperature of kNN.
    """
    outcomes = {}
    for method, (choice, seconds) in choices.items():
        top, accuracy_by_k = None, {}
        if choice.classifier is None:
            predictions_by_k = knn_predict(
                *train,
                test[0],
                num_classes=num_classes,
                k=choice.accuracies,
                temperature=temperature,
            )
            accuracy_by_k = {
                k: float(np.mean(p == test[1]))
                for k, p in predictions_by_k.items()
            }
            predictions = predictions_by_k[choice.value]
        else:
            scores = choice.classifier.scores(test[0])
            predictions = scores.argmax(axis=1)
            if num_classes > _TOP:
                top = top_k_hits(scores, test[1], _TOP)
        hits = predictions == test[1]
        outcomes[method] = Outcome(
            choice, seconds, predictions, hits, top, accuracy_by_k
        )
    return outcomes


def summary(
    rows: Mapping[str, Mapping[str, Outcome]],
    test: Examples,
    class_names: Sequence[str],
    *,
    interval: Mapping,
) -> dict:
    """Returns all numbers, as JSON values.

    The last two rows are compared example by example. The confusion matrix is
    that of the last row's first protocol.

    Args:
        rows: outcomes by protocol, by encoder.
        test: the test images.
        class_names: a name per class.
        interval: arguments of `bootstrap_interval`.
    """

    def bounds(values):
        return list(bootstrap_interval(values, **interval))

    results = {
        name: {
            method: _metrics(method, outcome, bounds)
            for method, outcome in outcomes.items()
        }
        for name, outcomes in rows.items()
    }
    (baseline, baseline_outcomes), (main, main_outcomes) = list(rows.items())[
        -2:
    ]
    gains = {
        method: _gain(
            main_outcomes[method].hits, baseline_outcomes[method].hits, bounds
        )
        for method in main_outcomes
        if method in baseline_outcomes
    }
    return {
        "results": results,
        "gain": {"of": main, "over": baseline, "by_method": gains},
        "confusion": _confusion(main, main_outcomes, test, class_names),
    }


def table(result: Mapping) -> str:
    """Formats accuracies with their intervals, as text for the terminal."""
    rows = result["results"]
    methods = [m for m in COLUMNS if any(m in row for row in rows.values())]
    columns = ["", *(COLUMNS[method] for method in methods)]
    cells = [
        [name, *(_cell(row.get(method), "accuracy") for method in methods)]
        for name, row in rows.items()
    ]
    *_, (name, row) = rows.items()
    if any("top5_accuracy" in metrics for metrics in row.values()):
        top = [_cell(row.get(m), "top5_accuracy") for m in methods]
        cells.append([f"{name}, top-5", *top])
    level = result["settings"]["level"]
    return "\n".join(
        [
            format_table(cells, columns),
            "",
            f"Accuracy on {result['test_images']} test examples of "
            f"{result['data']}, with its {100 * level:g} % interval; chosen on "
            f"{result['held_out']} of {result['images']} training examples: "
            + ", ".join(_setting_text(method, row[method]) for method in row)
            + ".",
        ]
    )


def draw(result: Mapping, target, data: str) -> None:
    """Draws the confusion matrix of a result to a path or binary file."""
    part = result["confusion"]
    names = part["class_names"]
    title = f"{part['encoder']}, {COLUMNS[part['method']]}, test examples of "
    confusion.draw_confusion(
        np.array(part["matrix"]), target, class_names=names, title=title + data
    )


def _metrics(method, outcome, bounds: Callable):
    choice = outcome.choice
    metrics = {
        "accuracy": float(outcome.hits.mean()),
        "accuracy_interval": bounds(outcome.hits),
        SETTINGS[method]: choice.value,
        "held_out_accuracy": {
            f"{value:g}": accuracy
            for value, accuracy in choice.accuracies.items()
        },
        "fit_seconds": round(outcome.seconds, 3),
    }
    if outcome.top_hits is not None:
        metrics["top5_accuracy"] = float(outcome.top_hits.mean())
        metrics["top5_accuracy_interval"] = bounds(outcome.top_hits)
    if outcome.accuracy_by_k:
        metrics["accuracy_by_k"] = {
            str(k): a for k, a in outcome.accuracy_by_k.items()
        }
    return metrics


def _gain(hits, other_hits, bounds):
    differences = hits.astype(np.float64) - other_hits
    return {
        "accuracy": float(differences.mean()),
        "interval": bounds(differences),
    }


def _confusion(name, outcomes, test, class_names):
    method, outcome = next(iter(outcomes.items()))
    matrix = confusion.confusion_matrix(
        test.labels, outcome.predictions, len(class_names)
    )
    rates = confusion.per_class_accuracy(matrix)
    return {
        "encoder": name,
        "method": method,
        "class_names": list(class_names),
        "matrix": matrix.tolist(),
        "per_class_accuracy": [None if r != r else float(r) for r in rates],
        "most_confused": [
            {"class": class_names[a], "predicted": class_names[b], "count": n}
            for a, b, n in confusion.most_confused(matrix)
        ],
    }


def _cell(metrics, key):
    if metrics is None or key not in metrics:
        return None
    low, high = metrics[f"{key}_interval"]
    return f"{100 * metrics[key]:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _setting_text(method, metrics):
    setting = SETTINGS[method]
    return f"{setting.replace('_', ' ')} {metrics[setting]:g}"
