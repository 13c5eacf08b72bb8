"""A trained classifier in a run folder, and what it says of other images."""

import csv
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.folder import find_files
from byol_tf.data.store import decoded_chunks
from byol_tf.files import loading, read_json, save_model, whole_file, write_json
from byol_tf.lines import as_text
from byol_tf.modalities.image.decode import (
    EXTENSIONS,
    MAX_PIXELS,
    ImageError,
    decode_square,
    upright_size,
)
from byol_tf.progress import progress_bar
from byol_tf.tasks import registry
from byol_tf.tasks.task import WRITTEN, Task

OK = "ok"  # status of an image that was predicted


class Classifier(NamedTuple):
    """A model with all that it takes to use it.

    Attributes:
        model: float images in [0, 1] to outputs by name; or, of release
            0.2, to predictions.
        task: what the predictions mean.
        prepare: from uint8 images to what `model` takes.
        image_size: pixels of a side that files are decoded to.
    """

    model: keras.Model
    task: Task
    prepare: keras.layers.Layer
    image_size: int

    def predictions(self, images: tf.Tensor, sizes: tf.Tensor) -> dict:
        """What `Task.decode` gives.

        Args:
            images: uint8 `[n, height, width, channels]`.
            sizes: int `[n, 2]`, widths and heights of the whole images.
        """
        outputs = self.model(self.prepare(images), training=False)
        if not isinstance(outputs, Mapping):
            outputs = {self.task.prediction: outputs}
        return self.task.decode(outputs, {"size": sizes})


class Predicted(NamedTuple):
    """What was written.

    Attributes:
        path: of the CSV file.
        images: that were found.
        unread: `(path, reason)` of those that could not be read.
    """

    path: pathlib.Path
    images: int
    unread: list[tuple[str, str]]


def save_classifier(
    model: keras.Model,
    task: Task,
    prepare: keras.layers.Layer,
    image_size: int,
    workdir: str | os.PathLike,
    name: str,
    about: Mapping,
) -> None:
    """Writes `<name>.keras` and `<name>.json` into a run folder.

    Args:
        model: see `Classifier`, as are the next three.
        task: see there.
        prepare: see there.
        image_size: see there.
        workdir: the folder.
        name: of the files.
        about: further JSON values.
    """
    workdir = pathlib.Path(workdir)
    save_model(model, workdir / f"{name}.keras")
    described = {
        **registry.to_json(task),
        "image_size": image_size,
        "preparation": keras.saving.serialize_keras_object(prepare),
        **about,
    }
    write_json(workdir / f"{name}.json", described)


def load_classifier(
    workdir: str | os.PathLike, name: str, task: str | None = None
) -> Classifier:
    """Loads what `save_classifier` wrote, in Keras's safe mode.

    Args:
        workdir: the run folder.
        name: of the files. If there is none of that name, but one of another,
            that one is taken.
        task: name of a task of one's own that may be imported, see
            `registry.from_json`.

    Raises:
        ValueError: there is none, it cannot be read, or its task is another
            one that would have to be imported.
    """
    path = _classifier_path(pathlib.Path(workdir), name)
    with loading(path):
        described = read_json(path.with_suffix(".json"))
        # A task of one's own registers its layers when it is imported.
        task = registry.from_json(described, trusted=task)
        prepare = keras.saving.deserialize_keras_object(
            described["preparation"]
        )
        model = keras.saving.load_model(path, compile=False)
        return Classifier(model, task, prepare, described["image_size"])


def _classifier_path(workdir, name):
    path = workdir / f"{name}.keras"
    if path.is_file():
        return path
    others = sorted(workdir.glob("classifier*.keras"))
    if len(others) == 1:
        return others[0]
    found = ", ".join(other.name for other in others)
    raise ValueError(
        f"no {path.name} in {workdir}"
        + (f" (there are {found}: choose by --task)" if found else "")
        + f"; fine-tune first: python finetune.py --workdir={workdir}"
    )


def predict_folder(
    classifier: Classifier,
    directory: str | os.PathLike,
    target: str | os.PathLike,
    batch_size: int = 256,
    *,
    max_pixels: int = MAX_PIXELS,
) -> Predicted:
    """Predicts all images of a folder and writes a CSV file.

    A row for each image: `path` within the folder, `status` ("ok", or why it
    could not be read), and the columns of the task.

    Args:
        classifier: see `load_classifier`.
        directory: with images in it or below.
        target: the CSV file; written whole or not at all.
        batch_size: images at once.
        max_pixels: larger images are not decoded.

    Raises:
        ValueError: there is no such folder, no image in it, none that can be
            read, or the model takes other than gray or coloured images.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(f"there is no folder {str(directory)!r}")
    channels = classifier.model.input_shape[-1]
    if channels not in (1, 3):
        raise ValueError(
            "image files have 1 or 3 channels, but the classifier takes "
            f"{channels}"
        )
    predict = tf.function(
        classifier.predictions, autograph=False, reduce_retracing=True
    )

    def decode(path):
        file = directory / path
        pixels = decode_square(
            file, classifier.image_size, channels, max_pixels
        )
        return pixels, upright_size(file)

    paths = find_files(directory, EXTENSIONS, "image")
    rows = []
    with progress_bar("predict", total=len(paths), unit="image") as bar:
        for pairs in decoded_chunks(paths, decode, batch_size):
            rows += _rows(classifier, predict, pairs)
            bar.update(len(pairs))
    unread = [(path, status) for path, status, _ in rows if status != OK]
    if len(unread) == len(paths):
        raise ValueError(
            f"none of the {len(paths)} images in {str(directory)!r} can be "
            f"read; the first, {unread[0][0]}: {unread[0][1]}"
        )
    _write(target, rows)
    return Predicted(pathlib.Path(target), len(paths), unread)


def _rows(classifier, predict, pairs):
    """`(path, status, columns)` of each image, or of each of its rows."""
    good = [(p, *d) for p, d in pairs if not isinstance(d, ImageError)]
    columns = {}
    if good:
        names, images, sizes = zip(*good, strict=True)
        decoded = predict(tf.constant(np.stack(images)), tf.constant(sizes))
        rows = classifier.task.rows(
            {name: value.numpy() for name, value in decoded.items()}
        )
        columns = dict(zip(names, rows, strict=True))
    return [
        (path, OK if path in columns else str(result), row)
        for path, result in pairs
        for row in _several(columns.get(path))
    ]


def _several(rows):
    """The rows of an image: one, several, or an empty one for none."""
    return rows if isinstance(rows, list) and rows else [rows or {}]


def _write(target, rows):
    columns = next((list(row) for *_, row in rows if row), [])
    with (
        whole_file(target) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([*WRITTEN, *columns])
        for path, status, row in rows:
            values = [row.get(column, "") for column in columns]
            writer.writerow([as_text(path), status, *values])
