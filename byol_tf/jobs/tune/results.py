"""Results of a search: trials, importance, correlations, files."""

import math
import pathlib
from collections.abc import Mapping, Sequence

from scipy import stats

from byol_tf.checks import require
from byol_tf.files import write_json, write_text
from byol_tf.jobs.tune import plots
from byol_tf.reports.report import format_table, write_csv, write_report

TABLE_TRIALS = 10  # trials in the table
MIN_PAIRS = 3  # fewest pairs for a correlation
# Possible predictors of linear accuracy, with a sign so that more is better.
PREDICTORS = {
    "score": ("label-free score", 1),
    "effective_rank": ("effective rank alone", 1),
    "alignment": ("alignment alone (less is better)", -1),
    "uniformity": ("uniformity alone (less is better)", -1),
    "held_out_knn": ("kNN, with labels", 1),
}
_METRICS = ("held_out_knn", "knn_accuracy", "linear_accuracy", "minutes")
_METRICS += ("score", "effective_rank", "alignment", "uniformity")


def summary(study, objective: str) -> dict:
    """Returns all numbers of an Optuna study, as JSON values.

    Args:
        study: a study whose trials have `overrides`, `error` and the attributes
            of `trials.trial_metrics`.
        objective: name of its values.

    Returns:
        `objective`; `trials` in order, each with `state` (complete, pruned,
        fail, running, waiting), `value`, `params` and numbers; `best`, the
        number of the best one, or None; `importance` of each field, which sum
        to 1, empty for fewer than four trials; `predicts_linear_accuracy`: the
        rank correlation of each of `PREDICTORS` over the finished trials.
    """
    trials = [_trial_entry(trial) for trial in study.trials]
    completed = [trial for trial in trials if trial["state"] == "complete"]
    best = max(completed, key=lambda trial: trial["value"], default=None)
    accuracies = [trial["linear_accuracy"] for trial in completed]
    return {
        "objective": objective,
        "trials": trials,
        "best": best and best["number"],
        "importance": _importance(study, completed),
        "predicts_linear_accuracy": {
            key: rank_correlation(
                [trial[key] and sign * trial[key] for trial in completed],
                accuracies,
            )
            for key, (_, sign) in PREDICTORS.items()
        },
    }


def rank_correlation(
    first: Sequence[float | None], second: Sequence[float | None]
) -> dict[str, float] | None:
    """Computes Spearman's rho and Kendall's tau-b of pairs.

    Args:
        first: numbers; pairs with None or a non-finite number are left out.
        second: as many numbers.

    Returns:
        `spearman` and `kendall` in [-1, 1], and `trials`, the number of pairs
        used; None for fewer than three, or if one side is constant.
    """
    pairs = [
        pair for pair in zip(first, second, strict=True) if _all_finite(*pair)
    ]
    if len(pairs) < MIN_PAIRS:
        return None
    sides = list(zip(*pairs, strict=True))
    if any(len(set(side)) == 1 for side in sides):
        return None
    return {
        "spearman": float(stats.spearmanr(*sides).statistic),
        "kendall": float(stats.kendalltau(*sides).statistic),
        "trials": len(pairs),
    }


def _all_finite(*values):
    return all(value is not None and math.isfinite(value) for value in values)


def rows(result: Mapping) -> tuple[list[str], list[list[str]]]:
    """Returns headings, and a row of text per trial, for the best trials."""
    completed = [t for t in result["trials"] if t["state"] == "complete"]
    completed.sort(key=lambda trial: -trial["value"])
    fields = list(dict.fromkeys(key for t in completed for key in t["params"]))
    headings = ["trial", *fields, "minutes", "label-free", "linear %"]
    cells = [
        [
            str(trial["number"]),
            *(_text(trial["params"].get(field)) for field in fields),
            _text(trial["minutes"]),
            _text(trial["score"]),
            _percent(trial["linear_accuracy"]),
            _percent(trial["value"])
            if result["objective"] == "knn"
            else _text(trial["value"]),
        ]
        for trial in completed[:TABLE_TRIALS]
    ]
    return [*headings, _OBJECTIVES[result["objective"]]], cells


def table(result: Mapping) -> str:
    """Formats the best trials, counts and correlations for the terminal."""
    headings, cells = rows(result)
    return "\n".join([format_table(cells, headings), "", *notes(result)])


def notes(result: Mapping) -> list[str]:
    """Returns notes on the numbers, and on what predicted linear accuracy."""
    states = [trial["state"] for trial in result["trials"]]
    lines = [
        f"{len(states)} trials: {states.count('complete')} finished, "
        f"{states.count('pruned')} ended early, {states.count('fail')} "
        f"failed. The best by {_OBJECTIVES[result['objective']]} is trial "
        f"{result['best']}. Linear accuracy is that of the test examples, "
        "which chose nothing."
    ]
    for key, (name, _) in PREDICTORS.items():
        correlation = result["predicts_linear_accuracy"][key]
        if correlation:
            lines.append(
                f"{name} predicts linear accuracy: "
                f"Spearman rho = {correlation['spearman']:.2f}, "
                f"Kendall tau = {correlation['kendall']:.2f} "
                f"over {correlation['trials']} trials"
            )
    return lines


def write(workdir: pathlib.Path, result: Mapping, best_config: str) -> None:
    """Writes tune.json, trials.csv, tune.html, figures and best_config.py."""
    write_text(workdir / "best_config.py", best_config)
    write_json(workdir / "tune.json", result)
    trials = result["trials"]
    fields = list(dict.fromkeys(key for t in trials for key in t["params"]))
    columns = ["number", "state", "value", *fields, *_METRICS, "error"]
    lines = [{**trial, **trial["params"]} for trial in trials]
    write_csv(workdir / "trials.csv", columns, lines)
    pictures = {"History": workdir / "history.png"}
    plots.history(
        result["trials"], _OBJECTIVES[result["objective"]], pictures["History"]
    )
    if result["importance"]:
        pictures["Importance"] = workdir / "importance.png"
        plots.importance(result["importance"], pictures["Importance"])
    headings, cells = rows(result)
    write_report(
        workdir / "tune.html",
        title=f"Search: {len(result['trials'])} trials",
        table=(headings, cells),
        pictures={name: path.read_bytes() for name, path in pictures.items()},
        config_text=best_config,
        notes=notes(result),
    )


_OBJECTIVES = {"knn": "held-out kNN", "label_free": "label-free score"}


def _trial_entry(trial):
    attributes = trial.user_attrs
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value,
        "params": trial.params,
        "overrides": attributes.get("overrides", []),
        "error": attributes.get("error"),
        **{key: attributes.get(key) for key in _METRICS},
    }


def _importance(study, completed):
    """Returns importance by fANOVA; empty for too few or too equal trials."""
    if len(completed) < 4 or len({trial["value"] for trial in completed}) == 1:
        return {}
    importance = require("optuna", "tune").importance
    return importance.get_param_importances(
        study, evaluator=importance.FanovaImportanceEvaluator(seed=0)
    )


def _text(value):
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(value):
    return "-" if value is None else f"{100 * value:.1f}"
