"""Results of a fine-tuning: numbers, table and figure."""

import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from byol_tf.data.examples import Examples
from byol_tf.data.fractions import Fraction
from byol_tf.data.split import Part
from byol_tf.files import read_json
from byol_tf.jobs.finetune.fit import Choice
from byol_tf.jobs.finetune.settings import (
    FINE_TUNED,
    FROZEN,
    ORIGINAL,
    SCRATCH,
)
from byol_tf.lines import plural, printable
from byol_tf.reports.drawing import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    Target,
    save_png,
)
from byol_tf.reports.report import format_table, mean_and_std
from byol_tf.tasks.task import Task

_STYLES = {
    FINE_TUNED: {"color": BLUE, "marker": "o", "linestyle": "-"},
    FROZEN: {"color": GREEN, "marker": "^", "linestyle": "-."},
    SCRATCH: {"color": ORANGE, "marker": "s", "linestyle": "--"},
    ORIGINAL: {"color": PURPLE, "marker": "D", "linestyle": ":"},
}

_NAMES = {
    "ap": "average precision (AP)",
    "pck": "correct keypoints (PCK)",
    "r2": "R²",
}

_WORST = 5  # examples listed below a table
_MOST_NAMES = 20  # classes or points listed below a table
_ENDINGS = (".json", ".keras", ".png", ".npz", ".html")  # files to keep

Key = tuple[Fraction, str]  # fraction and variant


def summary(
    choices: Mapping[Key, Choice],
    test_metrics: Mapping[Key, Sequence[Mapping[str, float]]],
    counts: Mapping[Fraction, Mapping[str, int]],
    task: Task,
) -> dict:
    """Returns all numbers, as JSON values.

    Args:
        choices: the trainings of the chosen settings.
        test_metrics: of each training.
        counts: `labels`, `learned_from`, `chosen_by`, `steps` of each fraction.
        task: task whose metric is shown.

    Returns:
        `metric`; `percent`, whether to show it in percent; `fractions` by name,
        with the numbers of each variant, and the gain of the fine-tuned
        encoder, seed by seed, over the original weights, or else over scratch.
    """
    fractions = {}
    for (fraction, variant), choice in choices.items():
        row = fractions.setdefault(
            fraction.name, {**counts[fraction], "variants": {}}
        )
        row["variants"][variant] = _variant_entry(
            choice, test_metrics[fraction, variant], task
        )
    for row in fractions.values():
        row["gain"] = _gain(row["variants"], task.metric)
    return {
        "metric": task.metric,
        "percent": task.percent,
        "shown": list(task.shown),
        "fractions": fractions,
    }


def subsets(
    parts: Mapping[tuple[Fraction, int], Part],
    labelled: np.ndarray,
    images: Examples,
) -> dict:
    """Lists the images of each fraction, by fraction, seed and part.

    Args:
        parts: by fraction and seed, positions among the labelled images.
        labelled: positions of those among all images.
        images: all of them.
    """

    def describe(positions):
        positions = labelled[positions].tolist()
        if not images.paths:
            return {"positions": positions}
        paths = [images.paths[position] for position in positions]
        return {"positions": positions, "paths": paths}

    fractions = {}
    for (fraction, seed), part in parts.items():
        fractions.setdefault(fraction.name, {})[str(seed)] = {
            field: describe(positions)
            for field, positions in part._asdict().items()
        }
    return {
        "data": images.name,
        "data_fingerprint": images.fingerprint(),
        "fractions": fractions,
    }


def table(result: Mapping) -> str:
    """Formats a row per fraction and a column per variant, as text."""
    metric, fractions = result["metric"], result["fractions"]
    percent = result["percent"]
    variants = list(next(iter(fractions.values()))["variants"])
    gains = all(row["gain"] for row in fractions.values())
    nouns = plural(result.get("noun", "image"))
    columns = ["labels", nouns, *variants, *(["gain"] if gains else [])]
    cells = []
    for name, row in fractions.items():
        row_cells = [
            _format(row["variants"][variant]["test"], percent)
            for variant in variants
        ]
        if gains:
            row_cells.append(_format(row["gain"], percent, sign="+"))
        cells.append([name, str(row["labels"]), *row_cells])
        for metric_key in result.get("shown", ()):
            values = (
                row["variants"][variant][metric_key] for variant in variants
            )
            shares = [f"{100 * value:.1f} %" for value in values]
            cells.append(
                [f"  {metric_key.upper()}", "", *shares, *[""] * gains]
            )
    guess = result.get("constant") or {}
    if metric in guess:
        value = _format({"mean": guess[metric], "std": None}, percent)
        guesses = [value] * len(variants) + [""] * gains
        cells.append(["constant guess", "", *guesses])
    worst = [_error_line(line) for line in result.get("worst", ())[:_WORST]]
    count = result["settings"]["seeds"]
    spread = f", mean ± std of {count} seeds" if count > 1 else ", one seed"
    gain = (
        f" The gain is that of {FINE_TUNED} over {_baseline(variants)}."
        if gains
        else ""
    )
    return "\n".join(
        [
            format_table(cells, columns),
            "",
            f"{_name(metric)} on "
            f"{result['test_images']} test {nouns} of {result['data']}{spread}."
            f"{gain}",
            "Settings and the best step were chosen on a part of the same "
            "labels: "
            + ", ".join(
                f"{row['chosen_by']} of {row['labels']}"
                for row in fractions.values()
            )
            + ".",
            *by_name(result),
            *(["", "Most errors:", *worst] if worst else []),
        ]
    )


def by_name(result: Mapping) -> list[str]:
    """Says the metric of each class or point, for the last part of the labels.

    The mean over classes hides a class that is never found.

    Returns:
        A line per variant; none for other metrics, or of very many names.
    """
    metric, lines = result["metric"], []
    labels, row = list(result["fractions"].items())[-1]
    for variant, entry in row["variants"].items():
        key = next((k for k in entry if k.startswith(f"{metric}_by_")), None)
        values = entry[key] if key and result["percent"] else {}
        if 1 < len(values) <= _MOST_NAMES:
            scores = ", ".join(
                f"{printable(name)} {100 * value:.1f} %"
                for name, value in values.items()
                if np.isfinite(value)
            )
            by = key.removeprefix(metric).replace("_", " ")
            lines.append(
                f"{metric.upper()}{by}, {labels}, {variant}: {scores}."
            )
    return lines


def _error_line(line):
    """Describes the errors of one example in a line."""
    if "reference" in line:
        errors = f"{line['reference']!r} heard as {line['hypothesis']!r}"
    else:
        pairs = ((k, v) for k, v in line.items() if k not in ("row", "path"))
        errors = ", ".join(f"{name} {value}" for name, value in pairs)
    return f"  {line.get('path', line['row'])}: {errors}"


def keep_earlier(workdir: pathlib.Path, task: str, data: Examples) -> None:
    """Renames the files of an earlier fine-tuning of another task or dataset.

    `finetune.json` becomes `finetune_<task>_<data>.json`, and so on. Those of
    the new task and dataset get the plain names again, to be replaced.

    Args:
        workdir: the run folder.
        task: name of the new task.
        data: its training data.
    """
    if not (workdir / "finetune.json").is_file():
        return
    earlier = read_json(workdir / "finetune.json")
    # Release 0.1 named no task.
    about = earlier.get("task", {"task": "classification"})
    old, new = (about["task"], earlier.get("data", "")), (task, data.name)
    if old == new:
        return
    for latest_name, own_name in _names(*old):
        _rename(workdir / latest_name, own_name)
    for latest_name, own_name in _names(*new):
        _rename(workdir / own_name, latest_name)


def _names(task, data):
    """Yields names of the files of a fine-tuning: the latest's, and its own."""
    words = task.rpartition(":")[-1], data
    suffix = "_".join(re.sub(r"[^\w-]", "_", word) for word in words)
    for name in ("finetune", "classifier"):
        for ending in _ENDINGS:
            yield name + ending, f"{name}_{suffix}{ending}"
    yield "finetune_subsets.json", f"finetune_{suffix}_subsets.json"


def _rename(path, name):
    if path.is_file():
        path.replace(path.with_name(name))


def draw(result: Mapping, target: Target) -> None:
    """Draws the metric over the number of labels, a curve per variant.

    Args:
        result: see `summary`.
        target: path or binary file to write a PNG to.
    """
    metric, fractions = result["metric"], result["fractions"]
    scale = 100 if result["percent"] else 1
    rows = sorted(fractions.values(), key=lambda row: row["labels"])
    labels = [row["labels"] for row in rows]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for variant in rows[0]["variants"]:
        values = [row["variants"][variant]["test"] for row in rows]
        means = scale * np.array([value["mean"] for value in values])
        # With one seed there is no spread to draw.
        spread = scale * np.array([value["std"] or 0.0 for value in values])
        axes.errorbar(
            labels,
            means,
            yerr=spread if spread.any() else None,
            capsize=3,
            label=variant,
            **_STYLES[variant],
        )
    axes.set_xscale("log")
    axes.set_xticks(labels, [str(label) for label in labels])
    axes.minorticks_off()
    nouns = plural(result.get("noun", "image"))
    axes.set_xlabel(f"labelled training {nouns}")
    unit = " (%)" if scale == 100 else ""
    axes.set_ylabel(f"{_name(metric)}{unit}, test {nouns}")
    seeds = result["settings"]["seeds"]
    title = f"{result['data']}, {seeds} seed{'s' if seeds > 1 else ''}"
    axes.set_title(title, fontsize=11, loc="left")
    axes.grid(color=GRAY, alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False)
    save_png(figure, target)


def _name(metric):
    """Returns the name of a metric for tables and figures."""
    name = _NAMES.get(metric, metric.replace("_", " "))
    return name[:1].upper() + name[1:]


def _variant_entry(choice, test_metrics, task):
    chosen_setting = choice.trainings[0].setting
    return {
        **chosen_setting._asdict(),
        "test": mean_and_std(
            [metrics[task.metric] for metrics in test_metrics]
        ),
        **_means(test_metrics, f"_by_{task.each}"),
        "tried": [
            {**setting._asdict(), "validation": value}
            for setting, value in choice.validation_by_setting.items()
        ],
        "runs": [
            {
                "seed": fitted.seed,
                "best_step": fitted.step,
                "steps": fitted.steps,
                "seconds": fitted.seconds,
                "validation": fitted.metrics,
                "test": metrics,
            }
            for fitted, metrics in zip(
                choice.trainings, test_metrics, strict=True
            )
        ],
    }


def _baseline(variants):
    """Returns the baseline of the gain: the original weights, or scratch."""
    return ORIGINAL if ORIGINAL in variants else SCRATCH


def _means(test_metrics, ending):
    """Returns means over seeds; "ap/cat" becomes `ap_by_class`, by name."""
    means = {}
    for key in test_metrics[0]:
        value = float(np.mean([metrics[key] for metrics in test_metrics]))
        name, slash, part = key.partition("/")
        if slash:
            means.setdefault(name + ending, {})[part] = value
        else:
            means[name] = value
    return means


def _gain(variants, metric):
    """Returns the gain of fine-tuning, seed by seed; None if unknown."""
    pair = FINE_TUNED, _baseline(variants)
    if not all(variant in variants for variant in pair):
        return None
    ours, others = (
        np.array([run["test"][metric] for run in variants[variant]["runs"]])
        for variant in pair
    )
    return mean_and_std(ours - others)


def _format(statistics, percent, sign=""):
    scale, digits, unit = (100, 1, " %") if percent else (1, 3, "")
    mean, std = statistics["mean"], statistics["std"]
    spread = "" if std is None else f" ± {scale * std:.{digits}f}"
    return f"{scale * mean:{sign}.{digits}f}{spread}{unit}"
