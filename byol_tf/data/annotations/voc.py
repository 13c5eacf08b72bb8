"""Reads boxes in the XML files of Pascal VOC."""

import math
import pathlib
from collections.abc import Sequence
from xml.etree import ElementTree

from byol_tf.data.annotations.listed import Annotations, Box, lines_of
from byol_tf.lines import nfc, number_of

LABELS, IMAGES = "Annotations", "JPEGImages"


def find_voc(directory: pathlib.Path, words: Sequence[str]):
    """Finds the file that lists the images of a split.

    Without any such file all images are for training: the folder of labels.
    """
    for word in words:
        file = directory / "ImageSets" / "Main" / f"{word}.txt"
        if file.is_file() and (directory / LABELS).is_dir():
            return file
    folders = [directory / name for name in (LABELS, IMAGES)]
    has_lists = (directory / "ImageSets").exists()
    if (
        "train" in words
        and not has_lists
        and all(map(pathlib.Path.is_dir, folders))
    ):
        return directory / LABELS
    return None


def read_voc(directory: pathlib.Path, file: pathlib.Path) -> Annotations:
    """Reads the XML files of the images that a file lists.

    Classes are sorted by name; difficult objects count as crowds. If no
    coordinate is below 1 and some equal the last pixel, they are counted from
    1, and a line says so; other splits count, too. Objects of a damaged XML
    file are unknown.

    Raises:
        ValueError: if there is no folder of images.
    """
    if not (directory / IMAGES).is_dir():
        raise ValueError(f"{directory} has no folder {IMAGES} for {file.name}")
    files = {path.stem: path.name for path in (directory / IMAGES).iterdir()}
    if file.is_dir():
        stems = sorted(stem for stem in files if not stem.startswith("."))
    else:
        # A number may follow the name, which may have spaces.
        stems = [s if s in files else s.split()[0] for s in lines_of(file)]
        stems = list(dict.fromkeys(stems))
    paths = [f"{IMAGES}/{files.get(stem, f'{stem}.jpg')}" for stem in stems]
    labels = _read_all(directory / LABELS)
    sizes, objects, damaged = {}, [], []
    for image, (stem, path) in enumerate(zip(stems, paths, strict=True)):
        size, entries = labels.get(stem, (None, ()))
        if entries is None:
            damaged.append(path)
            continue
        if size:
            sizes[path] = size
        objects += [(image, *entry) for entry in entries]
    names = sorted({name for _, name, *_ in objects if name})
    from_one = _counts_from_one(labels.values())
    boxes = [
        Box(
            i,
            (x0 - from_one, y0 - from_one, x1, y1),
            names.index(name) if name else -1,
            hard,
        )
        for i, name, (x0, y0, x1, y1), hard in objects
    ]
    notes = ("Boxes count pixels from 1: 1 is taken off left and top.",)
    return Annotations(
        name=file.stem,
        root=directory,
        paths=paths,
        names=names,
        boxes=boxes,
        sizes=sizes,
        damaged=damaged,
        notes=notes if from_one else (),
    )


def _read_all(folder):
    """Returns size and objects of each XML file by stem, None if unknown."""
    labels = {}
    for file in sorted(folder.rglob("*.xml")):
        stem = file.relative_to(folder).as_posix().removesuffix(".xml")
        try:
            if not file.stat().st_size:
                continue  # a negative, as without a file
            root = ElementTree.parse(file).getroot()
        except (OSError, ValueError, LookupError, ElementTree.ParseError):
            labels[stem] = None, None
            continue
        keys = ("size/width", "size/height")
        size = [number_of(root.findtext(key)) for key in keys]
        is_valid = all(1 <= value < math.inf for value in size)
        size = tuple(map(int, size)) if is_valid else None
        labels[stem] = size, [_object(o) for o in root.iter("object")]
    return labels


def _object(element):
    keys = ("xmin", "ymin", "xmax", "ymax")
    corners = tuple(number_of(element.findtext(f"bndbox/{k}")) for k in keys)
    hard = (element.findtext("difficult") or "0").strip() == "1"
    name = (element.findtext("name") or "").strip()
    return nfc(name), corners, hard


def _counts_from_one(labels):
    boxes = [(size, c) for size, entries in labels for _, c, _ in entries or ()]
    if any(value < 1 for _, corners in boxes for value in corners):
        return False
    return any(
        corners[2] == size[0] or corners[3] == size[1]
        for size, corners in boxes
        if size
    )
