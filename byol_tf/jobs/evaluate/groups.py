"""Linear evaluation with groups, such as speakers, held out for the test."""

import dataclasses
import functools
import pathlib
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.files import write_json
from byol_tf.jobs.evaluate.results import COLUMNS
from byol_tf.jobs.evaluate.run import LinearEvaluation
from byol_tf.jobs.groups import Groups
from byol_tf.reports.report import format_table


class RowFeatures:
    """Computes the features of each row once, though many folds have it."""

    def __init__(self):
        self._features = {}

    def __call__(
        self, encoder: str, images: Examples, compute: Callable
    ) -> np.ndarray:
        """Returns features `[n, d]`.

        Args:
            encoder: name of the encoder.
            images: rows of files; all of a file are always given together.
            compute: returns the features of some rows.
        """
        by_row = self._features.setdefault(encoder, {})
        keys = list(_keys(images))
        new_rows = [row for row, key in enumerate(keys) if key not in by_row]
        if new_rows:
            features = compute(images.subset(np.array(new_rows)))
            by_row |= zip(
                [keys[row] for row in new_rows], features, strict=True
            )
        return np.stack([by_row[key] for key in keys])


def _keys(images):
    count = Counter()  # a long sound has several rows
    for path in images.paths:
        count[path] += 1
        yield images.folder, path, count[path]


def run(
    job: LinearEvaluation, groups: Groups, workdir, name: str = "eval_linear"
) -> dict:
    """Holds out each group in turn, and writes the means.

    Writes `<name>_<column>.json`, and `<name>_<column>_<group>.json` per group.

    Args:
        job: evaluation with all groups.
        groups: see `Groups.folds`.
        workdir: the run folder.
        name: prefix of the files.

    Returns:
        `column`; `groups`, accuracies of each row and protocol by group; their
        `mean` and `std` over the groups.
    """
    name = f"{name}_{groups.column}"
    accuracies = {}
    load_test = functools.cache(job.load_test)
    job = dataclasses.replace(
        job, load_test=load_test, row_features=RowFeatures()
    )
    for held_out in groups.folds(job.train):
        train, load_test = groups.split(job.train, job.load_test, held_out)
        fold = dataclasses.replace(job, train=train, load_test=load_test)
        title = "+".join(held_out)
        result = fold.run(workdir, f"{name}_{_safe(title)}")
        accuracies[title] = {
            row: {key: values["accuracy"] for key, values in methods.items()}
            for row, methods in result["results"].items()
        }
    result = {
        "column": groups.column,
        "groups": accuracies,
        "mean": _aggregate(accuracies, np.mean),
        "std": _aggregate(accuracies, np.std),
    }
    write_json(pathlib.Path(workdir) / f"{name}.json", result)
    return result


def table(result: Mapping) -> str:
    """Formats mean accuracies over the groups, as text for the terminal."""
    mean, std = result["mean"], result["std"]
    methods = [m for m in COLUMNS if any(m in row for row in mean.values())]
    cells = [
        [
            name,
            *(
                f"{100 * row[m]:.1f} ± {100 * std[name][m]:.1f} %"
                if m in row
                else ""
                for m in methods
            ),
        ]
        for name, row in mean.items()
    ]
    count, column = len(result["groups"]), result["column"]
    return "\n".join(
        [
            format_table(cells, ["", *(COLUMNS[m] for m in methods)]),
            "",
            f"Accuracy on a held-out {column}, mean "
            f"± std of {count}: {', '.join(result['groups'])}.",
        ]
    )


def _aggregate(accuracies, reduce):
    first = next(iter(accuracies.values()))
    return {
        row: {
            key: float(
                reduce([group[row][key] for group in accuracies.values()])
            )
            for key in methods
        }
        for row, methods in first.items()
    }


def _safe(text):
    return "".join(c if c.isalnum() or c in "-_+" else "_" for c in text)[:60]
