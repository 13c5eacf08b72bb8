"""Results of a comparison: numbers, tables, files."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence

from byol_tf.files import read_json, write_json, write_text
from byol_tf.jobs import processes as child_runs
from byol_tf.jobs.compare import plots
from byol_tf.jobs.compare.plan import PlannedRun
from byol_tf.jobs.pretrain.start import as_it_came
from byol_tf.reports.report import (
    format_table,
    mean_and_std,
    write_csv,
    write_report,
)
from byol_tf.training.metrics import read_metrics


@dataclasses.dataclass(frozen=True)
class Column:
    """A number of a run, and its format in a table.

    Attributes:
        key: key in the numbers of a run.
        heading: heading of the column.
        scale: factor for display.
        digits: decimals.
    """

    key: str
    heading: str
    scale: float = 1.0
    digits: int = 2


COLUMNS = (
    Column("minutes", "minutes", digits=1),
    Column("peak_memory_bytes", "memory GB", 1e-9),
    Column("feature_std", "spread"),
    Column("projection_std", "projections"),
    Column("effective_rank", "rank", digits=1),
    Column("few_shot_accuracy", "few labels %", 100, 1),
    Column("knn_accuracy", "kNN %", 100, 1),
    Column("linear_accuracy", "linear %", 100, 1),
)
NOTES = (
    "Mean ± standard deviation over the seeds. Accuracies on the test "
    "examples. Spread of the representation and of the target's projections: "
    "1 is full, 0 is collapsed. Rank: effective rank of the representation. "
    "Memory: most that the process had resident.",
)
_METRICS = ("feature_std", "effective_rank", "few_shot_accuracy")
_METRICS += ("knn_accuracy", "linear_accuracy")


def is_finished(folder: pathlib.Path) -> bool:
    """Returns whether a run folder holds a finished training."""
    return (folder / "train.json").exists()


def run_metrics(folder: pathlib.Path) -> dict[str, float | None]:
    """Returns the numbers of a finished run folder, by the keys of `COLUMNS`.

    A number that is not finite or was not measured is None. `start` has the
    `name` and the numbers of weights that the run began with.
    """
    result = read_json(folder / "train.json")
    metrics = {key: result["after"].get(key) for key in _METRICS}
    if result.get("start"):
        metrics["start"] = {
            "name": as_it_came(result["start"]),
            **{key: result["before"].get(key) for key in _METRICS},
        }
    projection_stds = [
        line["projection_std"]
        for line in read_metrics(folder / "metrics.jsonl")
        if "projection_std" in line
    ]
    metrics["projection_std"] = projection_stds[-1] if projection_stds else None
    metrics["minutes"] = result["training_seconds"] / 60
    cost = child_runs.read_cost(folder)
    metrics["peak_memory_bytes"] = cost.get("peak_memory_bytes")
    return metrics


def summary(
    runs: Sequence[PlannedRun],
    workdir: pathlib.Path,
    errors: Mapping[PlannedRun, str],
) -> dict:
    """Returns all numbers, as JSON values.

    Args:
        runs: runs of the comparison.
        workdir: its folder.
        errors: the last line of each failed run.

    Returns:
        `runs`, one dict each, with `status` ("finished" or "failed"), `error`
        (its last line), `diagnosis` (a collapse found by its monitors) and the
        numbers; `variants` by name, with `finished` and `planned` counts, and
        `mean` and `std` (None for a single seed) of each number; if runs began
        with weights, also a variant for these weights before training.
    """
    entries = [_run_entry(run, workdir, errors.get(run)) for run in runs]
    variants = {}
    for name in dict.fromkeys(run.variant for run in runs):
        variant_runs = [run for run in entries if run["variant"] == name]
        num_finished = sum(run["status"] != "failed" for run in variant_runs)
        variants[name] = _statistics(variant_runs, num_finished)
    starts = {}
    for start in filter(None, (run.get("start") for run in entries)):
        starts.setdefault(start["name"], []).append(start)
    for name, start_runs in starts.items():
        variants[name] = _statistics(start_runs, len(start_runs))
    return {"runs": entries, "variants": variants}


def _statistics(runs, num_finished):
    return {
        "planned": len(runs),
        "finished": num_finished,
        **{c.key: mean_and_std(_finite_values(runs, c.key)) for c in COLUMNS},
    }


def rows(result: Mapping) -> tuple[list[str], list[list[str]]]:
    """Returns headings, and a row of text per variant."""
    columns = [
        column
        for column in COLUMNS
        if any(v[column.key] for v in result["variants"].values())
    ]
    cells = []
    for name, statistics in result["variants"].items():
        finished, planned = statistics["finished"], statistics["planned"]
        count = (
            str(finished) if finished == planned else f"{finished} of {planned}"
        )
        cells.append(
            [name, count, *(_cell(statistics[c.key], c) for c in columns)]
        )
    return ["variant", "seeds", *(c.heading for c in columns)], cells


def table(result: Mapping) -> str:
    """Formats the table for the terminal, and what failed or collapsed."""
    headings, cells = rows(result)
    return "\n".join([format_table(cells, headings), *_troubles(result)])


def write(workdir: pathlib.Path, result: Mapping, config_text: str) -> None:
    """Writes compare.json, .csv (a line per run), .md, .png and .html."""
    write_json(workdir / "compare.json", result)
    fields = ["variant", "seed", "status", "diagnosis", "error", "folder"]
    fields += ["overrides", *(column.key for column in COLUMNS)]
    lines = [
        {**r, "overrides": " ".join(r["overrides"])} for r in result["runs"]
    ]
    write_csv(workdir / "compare.csv", fields, lines)
    picture = _picture(workdir, result)
    write_text(workdir / "compare.md", _markdown(result, picture))
    headings, cells = rows(result)
    write_report(
        workdir / "compare.html",
        title=f"Comparison of {len({r['variant'] for r in result['runs']})} "
        "variants",
        table=(headings, cells),
        pictures={"Accuracy": picture} if picture else {},
        config_text=config_text,
        notes=[*_troubles(result), *NOTES],
    )


def _run_entry(run, workdir, error):
    folder = workdir / run.folder
    about = {
        "variant": run.variant,
        "seed": run.seed,
        "folder": run.folder.as_posix(),
        "overrides": list(run.overrides),
        "status": "failed",
        "error": error,
        "diagnosis": None,
    }
    if not is_finished(folder):
        return about
    about["status"] = "finished"
    about["diagnosis"] = read_json(folder / "train.json").get("stopped")
    return {**about, **run_metrics(folder)}


def _finite_values(runs, key):
    values = [run.get(key) for run in runs]
    return [v for v in values if v is not None and math.isfinite(v)]


def _cell(statistics, column):
    if statistics is None:
        return "-"
    mean, std = (
        None if value is None else f"{column.scale * value:.{column.digits}f}"
        for value in (statistics["mean"], statistics["std"])
    )
    return mean if std is None else f"{mean} ± {std}"


def _troubles(result):
    """Returns a line per run that failed or collapsed."""
    return [
        f"{run['variant']}, seed {run['seed']}: "
        + (run["diagnosis"] or f"failed: {run['error']}")
        for run in result["runs"]
        if run["status"] == "failed" or run["diagnosis"]
    ]


def _markdown(result, picture):
    headings, cells = rows(result)
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *cells]
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    ]
    troubles = [f"- {line}" for line in _troubles(result)]
    parts = ["\n".join(lines), "\n".join(troubles), *NOTES]
    if picture:
        parts.append("![Accuracy by variant](compare.png)")
    return "\n\n".join(part for part in parts if part) + "\n"


def _picture(workdir, result):
    """Returns PNG bytes, also written to compare.png; None without data."""
    curves = {
        name: [
            read_metrics(workdir / run["folder"] / "metrics.jsonl")
            for run in result["runs"]
            if run["variant"] == name and run["status"] != "failed"
        ]
        for name in result["variants"]
    }
    accuracies = [c for c in COLUMNS if c.key.endswith("accuracy")]
    has_accuracies = any(
        statistics[column.key]
        for statistics in result["variants"].values()
        for column in accuracies
    )
    if not has_accuracies:
        return None
    path = workdir / "compare.png"
    plots.draw(
        result["variants"],
        [(c.key, c.heading) for c in accuracies],
        curves,
        path,
    )
    return path.read_bytes()
