"""Results of a pretraining run: the table and the report."""

import io
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np

from byol_tf.data.rows import bare, spread_rows
from byol_tf.evaluation.knn import nearest_neighbours
from byol_tf.jobs.pretrain.monitoring import Watch
from byol_tf.jobs.pretrain.start import as_it_came
from byol_tf.lines import plural
from byol_tf.reports import grids, plots, report

QUERIES = 8  # test images shown with their neighbours
NUM_SOUNDS = 4  # playable test sounds, each with its neighbour
NEIGHBOURS = 8
NUM_BESIDE = 4  # neighbours shown early in training, and at the end
_ROWS = {
    "knn_accuracy": "kNN accuracy{by}",
    "linear_accuracy": "linear accuracy, all labels{by}",
    "few_shot_accuracy": "linear accuracy, {shots} labels per class",
    "feature_std": "spread of the representation (1 = full)",
    "effective_rank": "effective rank",
}


def rows(result: dict, shots: int) -> list[tuple[str, ...]]:
    """Returns label, before and after of every measured number.

    With labels, raw inputs are the first column; if the run began with weights,
    a random encoder is added.

    Args:
        result: with `raw`, `random`, `before` and `after`, as in `train.json`.
        shots: labels per class of the few-shot accuracy.
    """
    after = result["after"]
    folds = after.get("folds")
    by = f", {folds:g}-fold cross-validation" if folds else ""
    return [
        (
            label.format(shots=shots, by=by),
            *(_cell(key, result[column]) for column in _columns(result)),
        )
        for key, label in _ROWS.items()
        if key in after
    ]


def _columns(result):
    return [
        column
        for column in ("raw", "random", "before", "after")
        if result[column]
    ]


def columns(result: dict) -> tuple[str, ...]:
    """Returns the headings of the columns of `rows`."""
    start, random = result["start"], "random encoder"
    names = {
        "raw": result["raw"].get("name"),
        "random": random,
        "before": as_it_came(start) if start else random,
        "after": "pretrained",
    }
    return "", *(names[column] for column in _columns(result))


def table(result: dict, shots: int) -> str:
    """Formats the rows as text for the terminal, with the verdict below."""
    table = report.format_table(rows(result, shots), columns(result))
    verdict = textwrap.fill(result["verdict"], 79, break_on_hyphens=False)
    return f"{table}\n\n{verdict}"


def write(
    workdir: pathlib.Path,
    job,
    result: dict,
    metrics: Sequence[dict],
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    watch: Watch,
) -> None:
    """Writes `report.html` into a run folder that has its `views.png`.

    Args:
        workdir: the run folder.
        job: the run, a `Pretraining`.
        result: as in `train.json`.
        metrics: lines of `metrics.jsonl`.
        before: representations `[n, features]` of some test images, by the
            encoder before training, and the rows `[n]` of these images.
        after: representations of `job.judge.examples` and of `job.test`,
            pretrained.
        watch: of the run; without labels its images show their neighbours
            early in training and at the end.
    """
    test, (vectors, test_rows) = job.test, before
    pictures = {"First views": (workdir / "views.png").read_bytes()}
    if metrics:
        pictures["Curves"] = _png(plots.curves, metrics)
    finite = all(np.isfinite(part).all() for part in (vectors, *after))
    if finite and len(after[0]) >= NEIGHBOURS:
        title = f"Nearest neighbours of test {plural(job.modality.name)}"
        pictures[title] = _neighbours(job, after)
    if "knn_accuracy" not in result["after"]:
        pictures |= _early_and_late(job, watch) | _duplicates(job, watch)
    if finite and len(vectors) >= 3:
        pictures["Representations in the plane"] = _png(
            plots.before_after_scatter,
            vectors,
            after[1][test_rows],
            test.labels[test_rows],
            class_names=test.class_names or None,
        )
    report.write_report(
        workdir / "report.html",
        title=job.title,
        config_text=job.config_text,
        metrics=metrics,
        table=(columns(result), rows(result, job.protocol.shots)),
        pictures=pictures,
        notes=_notes(result, plural(job.modality.name)),
        sounds=_sounds(job, after) if finite else (),
    )


def _neighbours(job, features):
    train, test = job.judge.examples, job.test
    query_rows = spread_rows(len(test.labels), QUERIES)
    nearest = nearest_neighbours(
        features[0], features[1][query_rows], NEIGHBOURS
    )
    previews = [
        job.modality.preview(bare(examples.read(row)))
        for examples, rows in ((test, query_rows), (train, nearest.ravel()))
        for row in rows
    ]
    queries, neighbours = np.split(grids.on_canvas(previews), [len(query_rows)])
    return _png(
        grids.neighbours_grid,
        queries,
        neighbours.reshape(*nearest.shape, *neighbours.shape[1:]),
        query_labels=test.labels[query_rows],
        neighbour_labels=train.labels[nearest],
        class_names=train.class_names or None,
    )


def _sounds(job, features):
    """Returns test sounds, each with its nearest other sound; () for images."""
    play = getattr(job.modality, "player", None)
    train, test = job.judge.examples, job.test
    if play is None or not len(features[0]):
        return ()
    query_rows = spread_rows(len(test.labels), NUM_SOUNDS)
    nearest = nearest_neighbours(features[0], features[1][query_rows], 1)[:, 0]
    sounds = []
    for number, (row, neighbour) in enumerate(
        zip(query_rows, nearest, strict=True), 1
    ):
        pair = ((test, row, "test sound"), (train, neighbour, "nearest to it"))
        for examples, position, caption in pair:
            wav = play(bare(examples.read(position)), job.prepare)
            sounds.append((f"{number}: {caption}", wav))
    return sounds


def _early_and_late(job, watch):
    """Draws neighbours of watched images, then and now; {} for few images."""
    if not watch.has_early:
        return {}
    pair = watch.early_and_late()
    if len(pair[0]) <= NUM_BESIDE or not all(
        np.isfinite(f).all() for f in pair
    ):
        return {}
    query_rows = spread_rows(len(pair[0]), QUERIES)
    # The first neighbour is the image itself.
    nearest = [
        nearest_neighbours(f, f[query_rows], NUM_BESIDE + 1)[:, 1:]
        for f in pair
    ]
    title = (
        "Nearest neighbours of training examples: the "
        f"{NUM_BESIDE} early in training, then the {NUM_BESIDE} at the end"
    )
    rows = watch.rows[np.column_stack([query_rows, *nearest])]
    return {title: _draw_beside(job, rows)}


def _duplicates(job, watch):
    """Draws two of each of the largest groups of near-duplicates, if any."""
    pairs = [rows[:2] for rows in watch.duplicates[:QUERIES]]
    title = "Near-duplicates among training examples: two of each group"
    return {title: _draw_beside(job, np.array(pairs))} if pairs else {}


def _draw_beside(job, rows):
    """Draws training examples `[n, k]`, each first one beside the others."""
    previews = [
        job.modality.preview(bare(job.train.read(row))) for row in rows.ravel()
    ]
    canvas = grids.on_canvas(previews)
    canvas = canvas.reshape(*rows.shape, *canvas.shape[1:])
    return _png(grids.neighbours_grid, canvas[:, 0], canvas[:, 1:])


def _png(draw, *args, **kwargs) -> bytes:
    buffer = io.BytesIO()
    draw(*args, buffer, **kwargs)
    return buffer.getvalue()


def _cell(key, metrics):
    if key not in metrics:
        return ""
    if key == "few_shot_accuracy":
        mean, std = metrics[key], metrics["few_shot_std"]
        return f"{100 * mean:.1f} % ± {100 * std:.1f}"
    if key.endswith("accuracy"):
        return f"{100 * metrics[key]:.1f} %"
    value = metrics[key]
    return "not finite" if value is None else f"{value:.2f}"


def _notes(result, nouns):
    machine = result["machine"]
    return [
        result["verdict"],
        f"{result['steps']} steps of {result['batch_size']} {nouns} "
        f"({result['epochs']} epochs of {result['images']} {nouns}), "
        f"{result['training_seconds'] / 60:.1f} minutes of training on "
        f"{machine['cores']} cores ({machine['processor']}), "
        f"seed {result['seed']}."
        + (f" Stopped: {result['stopped']}." if result["stopped"] else ""),
        f"Data: {result['data']}, fingerprint {result['data_fingerprint']}; "
        f"{result['skipped_images']} unreadable {nouns} skipped.",
        *result["notes"],
    ]
