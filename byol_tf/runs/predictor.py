"""Predicts the files of a folder with a fine-tuned model."""

import functools
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from byol_tf.data.annotations.coco import read_coco
from byol_tf.data.items import Items, find_items
from byol_tf.data.recordings.cutting import part_of
from byol_tf.data.rows import Unreadable
from byol_tf.data.store import decoded_chunks
from byol_tf.files import to_json, whole_file, write_csv, write_text
from byol_tf.lines import plural, printable, progress_bar
from byol_tf.runs import subtitles
from byol_tf.runs.encoder import Encoder
from byol_tf.tasks.cut_objects import CutObjects
from byol_tf.tasks.drawn import draw_marks, whole_image
from byol_tf.tasks.task import BASE_COLUMNS, Task
from byol_tf.tasks.tiled import cut_tiles

OK = "ok"  # status of a predicted image


class PredictionResult(NamedTuple):
    """The result of a prediction."""

    path: pathlib.Path  # path of the CSV file
    images: int  # found
    unread: list[tuple[str, str]]  # path and reason
    nouns: str = "images"  # word for the files


def predict_folder(
    classifier: Encoder,
    directory: str | os.PathLike,
    target: str | os.PathLike,
    batch_size: int = 256,
    drawings: str | os.PathLike | None = None,
    tiles: tuple[int, int] | None = None,
) -> PredictionResult:
    """Predicts all files of a folder and writes a CSV file.

    It has a row per file, or per prediction: `path` within the folder, `status`
    ("ok", or why it could not be read), and the task's columns. Sounds that are
    cut, at pauses or into windows, have a row per part, with `start` and `end`
    in seconds.

    Args:
        classifier: a model with a task, see `load_classifier`.
        directory: folder with files at any depth, or a CSV or `.npz` file, see
            `find_items`; or a COCO JSON file, whose images are predicted, or
            the boxes in them, if the task is one of single objects.
        target: the CSV file, written atomically. With the extension `.json` it
            holds COCO results for `COCO.loadRes`: ids of images are those of a
            COCO file, else 1, 2, ... in the order of the paths, given as
            `file_name`. With the extension `.srt` it holds subtitles.
        batch_size: files per batch.
        drawings: folder for a PNG file of each image with its predictions,
            `<path>.png`; None: none.
        tiles: columns and rows of overlapping tiles of an image, for small
            objects in large images; predictions of the tiles and the whole are
            merged. None: only the whole image.

    Raises:
        ValueError: if there is no such folder, no file in it, or none that can
            be read; if the model takes images that are neither gray nor in
            colour; or if the task has no predictions of this form.
    """
    suffix = pathlib.Path(target).suffix.lower()
    if suffix == subtitles.SUFFIX and not classifier.task.sequences:
        raise ValueError(
            f"predictions of {classifier.task.name} have no times for "
            "subtitles; name a file --out=predictions.csv"
        )
    is_json = suffix == ".json"
    if is_json and drawings is not None:
        raise ValueError(
            "images are drawn from the rows of a CSV file; name a file "
            f"predictions.csv beside `drawings`. Received: {target}"
        )
    _check_places(classifier.task, drawings, tiles)
    items, ids, objects = _items(directory, classifier, is_json)
    paths = items.names
    describe = classifier.task.results if is_json else classifier.task.rows
    predict = tf.function(
        functools.partial(_predictions, classifier),
        autograph=False,
        reduce_retracing=True,
    )

    def decode(path):
        file = items.read(path)
        if tiles is not None:
            return _tiles(classifier, file, tiles)
        if objects is not None:
            limit = classifier.sizes["max_pixels"]
            return objects.parts(path, file, classifier.decode, limit)
        row, origin = classifier.decode(file), classifier.origin(file)
        if classifier.task.of_objects:
            origin = {**origin, "place": (0, 0), "whole": origin["size"]}
        _, seconds = part_of(path)
        return [
            ({**seconds, **facts}, part, origin)
            for facts, part in _parts(classifier, row)
        ]

    rows = []
    with progress_bar("predict", total=len(paths), unit=classifier.noun) as bar:
        for pairs in decoded_chunks(paths, decode, batch_size):
            new_rows = _rows(classifier, predict, pairs, describe, batch_size)
            if drawings is not None:
                _draw(classifier.task, items, new_rows, pathlib.Path(drawings))
            rows += new_rows
            bar.update(len(pairs))
    unread = [
        (printable(path), status) for path, status, _ in rows if status != OK
    ]
    if len(unread) == len(paths):
        raise ValueError(
            f"none of the {len(paths)} {plural(classifier.noun)} in "
            f"{str(directory)!r} can be "
            f"read; the first, {unread[0][0]}: {unread[0][1]}"
        )
    if is_json:
        results = [
            {"image_id": ids[path], "file_name": path, **row}
            for path, _, row in rows
            if row
        ]
        write_text(target, to_json(results))
    elif suffix == subtitles.SUFFIX:
        subtitles.write_subtitles(
            target, [(path, row) for path, _, row in rows if row]
        )
    else:
        _write(target, rows)
    target = pathlib.Path(target)
    return PredictionResult(target, len(paths), unread, plural(classifier.noun))


def _items(data, classifier, as_results):
    """Returns the files to predict, COCO's ids by name, and objects or None."""
    path = pathlib.Path(data)
    if path.suffix.lower() == ".json":
        coco = read_coco(path)
        cuts_objects = classifier.task.of_objects and coco.boxes
        objects = CutObjects.of(coco, as_results) if cuts_objects else None
        return Items(coco.root, coco.paths), coco.image_ids, objects
    items = find_items(
        data,
        classifier.modality.extensions,
        classifier.noun,
        classifier.sizes.get("column"),
        classifier.cut,
    )
    return items, {name: i + 1 for i, name in enumerate(items.names)}, None


def _predictions(classifier, rows, origin):
    """Returns the output of `Task.decode` for a batch of stored rows."""
    prepared = classifier.preprocessor(rows)
    outputs = classifier.model(prepared, training=False)
    if not isinstance(outputs, Mapping):  # of release 0.2
        outputs = {classifier.task.prediction: outputs}
    return classifier.task.decode(outputs, origin)


def _parts(classifier, row):
    """Returns pairs of facts and an input to predict, for a stored row."""
    if classifier.task.sequences and hasattr(classifier.modality, "parts"):
        return classifier.modality.parts(row, classifier.sizes)
    return [({}, row)]


def _rows(classifier, predict, pairs, describe, batch_size):
    """Returns `(path, status, columns)` of each file, or each of its rows."""
    decoded = [(p, d) for p, d in pairs if not isinstance(d, Unreadable)]
    tiled = {p: d for p, d in decoded if isinstance(d, tuple)}
    parts = [(p, *part) for p, d in decoded if p not in tiled for part in d]
    columns = {path: [] for path, _ in decoded}
    for path, tiles in tiled.items():
        whole = _predict_tiles(classifier, predict, *tiles, batch_size)
        (columns[path],) = describe(whole)
    for start in range(0, len(parts), batch_size):
        names, facts, *inputs = zip(
            *parts[start : start + batch_size], strict=True
        )
        rows = describe(_predict_batch(classifier, predict, *inputs))
        for name, part_facts, predictions in zip(
            names, facts, rows, strict=True
        ):
            columns[name] += [
                {**part_facts, **row} for row in _as_rows(predictions)
            ]
    return [
        (path, OK if path in columns else str(result), row)
        for path, result in pairs
        for row in _as_rows(columns.get(path))
    ]


def _check_places(task, drawings, tiles):
    """Refuses pictures and tiles before any file is read as an image."""
    if drawings is not None:
        task.marks((), 1, 1)
    if tiles is not None and type(task).joined is Task.joined:
        task.joined({}, np.zeros(0))


def _predict_batch(classifier, predict, inputs, origins):
    """Predicts a batch; returns arrays by name."""
    batch = classifier.batch(inputs)
    origin = {k: np.array([o[k] for o in origins]) for k in origins[0]}
    decoded = predict(*tf.nest.map_structure(tf.constant, (batch, origin)))
    return {name: value.numpy() for name, value in decoded.items()}


def _tiles(classifier, file, tiles):
    """Returns inputs and origins of an image and its tiles, and places."""
    files, places = cut_tiles(file, tiles, classifier.sizes["max_pixels"])
    inputs = [classifier.decode(part) for part in files]
    return inputs, [classifier.origin(part) for part in files], places


def _predict_tiles(classifier, predict, inputs, origins, places, batch_size):
    """Predicts an image in parts; returns a batch of one."""
    predictions = []
    for start in range(0, len(inputs), batch_size):
        batch = slice(start, start + batch_size)
        pair = inputs[batch], origins[batch]
        predictions.append(_predict_batch(classifier, predict, *pair))
    parts = {
        k: np.concatenate([part[k] for part in predictions])
        for k in predictions[0]
    }
    whole = classifier.task.joined(parts, places)
    return {name: np.asarray(value)[None] for name, value in whole.items()}


def _draw(task, items, rows, folder):
    """Draws a picture of each predicted image."""
    rows_by_path = {}
    for path, status, row in rows:
        if status == OK:
            rows_by_path.setdefault(path, []).extend([row] if row else [])
    for path, image_rows in rows_by_path.items():
        pixels = whole_image(items.read(path))
        marks = task.marks(image_rows, *pixels.shape[1::-1])
        # A COCO file may name images outside of its folder.
        parts = [p for p in pathlib.PurePath(path).parts if p.strip("./\\")]
        target = folder.joinpath(*parts)
        with whole_file(target.with_name(f"{target.name}.png")) as temporary:
            Image.fromarray(draw_marks(pixels, marks)).save(temporary)


def _as_rows(rows):
    """Returns the rows of an image: one, several, or an empty one for none."""
    return rows if isinstance(rows, list) and rows else [rows or {}]


def _write(target, rows):
    # The longest row, since short sounds have no times.
    columns = max((list(row) for *_, row in rows), key=len, default=[])
    lines = (
        (part_of(path)[0], status, *(row.get(key, "") for key in columns))
        for path, status, row in rows
    )
    write_csv(target, [(*BASE_COLUMNS, *columns), *lines])
