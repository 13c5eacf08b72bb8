"""Reads boxes in YOLO's text files."""

import math
import os
import pathlib
from collections import Counter
from collections.abc import Collection, Sequence

import yaml

from byol_tf.data.annotations.listed import Annotations, Box, lines_of
from byol_tf.data.walk import files_below
from byol_tf.files import loading
from byol_tf.lines import nfc, some

FILES = ("data.yaml", "data.yml", "dataset.yaml")


def find_yolo(directory: pathlib.Path, words: Sequence[str]):
    """Finds the folder of the images of a split, beside one of labels.

    Or the text file that lists them, if `data.yaml` names one.

    Raises:
        ValueError: if it names several folders.
    """
    about = _about(directory)
    for word in words:
        folders = [f"images/{word}", f"{word}/images"]
        if isinstance(entry := about.get(word), list):
            raise ValueError(
                f"{directory} names several folders as {word!r}, and one can "
                f"be read: {some(entry)}; list all images in one text file"
            )
        if isinstance(entry, str):
            # Roboflow writes "../train/images" for the folder beside.
            relative = os.path.join(str(about.get("path") or ""), entry)
            folders = [entry.removeprefix("../"), relative, *folders]
            for file in map(directory.joinpath, folders[:2]):
                if file.suffix == ".txt" and file.is_file():
                    return file
        for folder in map(directory.joinpath, folders):
            labels = _labels_of(folder / "x.jpg")
            if folder.is_dir() and labels and labels.parent.is_dir():
                return folder
    return None


def read_yolo(
    directory: pathlib.Path, folder: pathlib.Path, extensions: Collection[str]
) -> Annotations:
    """Reads the label files of all images below a folder.

    An image with an empty or missing label file is a negative. A line is a
    class and the box's centre and size, as fractions of width and height; for
    the polygon of a segmentation, the box around it is used. A line of another
    form is a box that is not finite.

    Args:
        directory: folder with `data.yaml` or `classes.txt`.
        folder: folder of the images, or a text file with a path per line,
            relative to that file; a path that occurs again is one image.
        extensions: extensions of the images, in lower case.

    Raises:
        ValueError: if there are no class names.
    """
    names = _names(directory)
    places = {number: place for place, number in enumerate(names)}
    # Of a pose, points follow the box.
    max_words = 5 if "kpt_shape" in _about(directory) else None
    name = os.path.relpath(folder, directory)
    if folder.is_file():
        paths = list(dict.fromkeys(map(os.path.normpath, lines_of(folder))))
        folder = folder.parent
    else:
        paths = sorted(files_below(folder, extensions, Counter()))
    boxes, missing, damaged, malformed = [], [], [], []
    for image, path in enumerate(paths):
        file = _labels_of(folder / path)
        if file is None or not file.is_file():
            missing.append(path)
            continue
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            damaged.append(path)
            continue
        for number, line in enumerate(lines, 1):
            if line.strip():
                box = _box(image, line.split()[:max_words], places)
                boxes.append(box or Box(image, (math.nan,) * 4, -1))
                malformed += [] if box else [(file, number, line)]
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of {len(paths)} images have no label file and "
            f"count as negatives; the first: {missing[0]}."
        )
    if malformed:
        file, number, line = malformed[0]
        notes.append(
            f"{len(malformed)} lines are not a class's number, x, y, width and "
            f"height, with spaces between. The first: {file}, line {number}: "
            f"{line.strip()[:60]!r}."
        )
    return Annotations(
        name=name,
        root=folder,
        paths=paths,
        names=list(names.values()),
        boxes=boxes,
        relative=True,
        damaged=damaged,
        notes=tuple(notes),
    )


def _box(image, words, places):
    """Returns the object of a line, or None if it has another form."""
    try:
        label, *coordinates = map(float, words)
    except ValueError:
        return None
    if len(coordinates) < 4 or (len(coordinates) > 5 and len(coordinates) % 2):
        return None
    if len(coordinates) > 5:
        xs, ys = coordinates[::2], coordinates[1::2]
        corners = min(xs), min(ys), max(xs), max(ys)
    else:
        x, y, width, height = coordinates[:4]
        corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return Box(image, corners, places.get(label, -1))


def _labels_of(image):
    """Returns the label file of an image: its last `images` is `labels`."""
    parts = list(image.parts)
    if "images" not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index("images")
    parts[last] = "labels"
    return pathlib.Path(*parts).with_suffix(".txt")


def _about(directory):
    for name in FILES:
        if (directory / name).is_file():
            with loading(directory / name):
                value = yaml.safe_load((directory / name).read_text("utf-8"))
                return value if isinstance(value, dict) else {}
    return {}


def _names(directory):
    """Returns names by the classes' numbers in label files, ascending."""
    names = _about(directory).get("names")
    classes = directory / "classes.txt"
    if names is None and classes.is_file():
        names = classes.read_text("utf-8-sig").splitlines()
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not names or not isinstance(names, dict):
        raise ValueError(
            f"{directory} has label files of YOLO, but no names of classes; "
            "write them into data.yaml: names: [cat, dog]"
        )
    try:
        numbers = sorted(names, key=int)
    except (TypeError, ValueError):
        raise ValueError(
            f"{directory}: names of classes must have numbers. Received: "
            f"{some(list(names))}"
        ) from None
    by_number = {int(n): nfc(str(names[n]).strip()) for n in numbers}
    return {number: name for number, name in by_number.items() if name}
