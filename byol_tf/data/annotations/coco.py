"""Reads boxes in COCO's JSON."""

import math
import pathlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from byol_tf.data.annotations.listed import Annotations, Box
from byol_tf.files import is_inside, loading, read_json
from byol_tf.lines import nfc, number_of

FOLDERS = ("", "images", "../images", "..")  # where images may be
PARTS = ("train", "test", "val")  # folders within these


def find_coco(directory: pathlib.Path, words: Sequence[str]):
    """Finds the file of a split: `train.json`, or COCO's or Roboflow's name."""
    for word in words:
        patterns = (
            f"{word}.json",
            f"annotations/{word}.json",
            f"annotations/instances_{word}*.json",
            f"{word}/_annotations.coco.json",
        )
        for pattern in patterns:
            for file in sorted(directory.glob(pattern)):
                return file
    return None


def read_coco(file: pathlib.Path) -> Annotations:
    """Reads images, categories and boxes of a COCO file.

    Category ids may have gaps; `file_name` is relative to the file, to `images`
    beside it, to the parent folder, or to a folder of the split in these, such
    as `train2017` for `annotations/instances_train2017.json`.

    Raises:
        ValueError: if the file is invalid; says what is wrong.
    """
    with loading(file):
        return parse_coco(file, read_json(file))


def parse_coco(file: pathlib.Path, value: Mapping) -> Annotations:
    """Returns the contents of a COCO file from its JSON; see `read_coco`.

    Raises:
        KeyError, TypeError, ValueError: if the JSON is invalid; within
            `loading` this becomes an error that names the file.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it must have images, categories and annotations")
    images, categories = value["images"], value["categories"]
    categories = sorted(categories, key=lambda entry: entry["id"])
    labels = {c["id"]: i for i, c in enumerate(categories)}
    names = [nfc(str(entry["name"])) for entry in categories]
    # Windows writes backslashes.
    paths = [str(e["file_name"]).replace("\\", "/") for e in images]
    outside = [path for path in paths if not is_inside(path)]
    if outside:
        raise ValueError(
            f"{outside[0]!r} leads out of the folder; write it relative to "
            "the file or to the folder of images"
        )
    check_once(paths, "keep one image, with the annotations of all")
    for entries in (images, categories):
        ids = [entry["id"] for entry in entries]
        check_once(ids, "images and categories need ids of their own")
    root = _root(file, paths)
    paths = [_on_disk(root, path) for path in paths]
    places = {entry["id"]: i for i, entry in enumerate(images)}
    all_entries = value.get("annotations", [])
    linked = [entry for entry in all_entries if entry.get("image_id") in places]
    count = len(all_entries) - len(linked)
    note = f"Left out: {count} annotations with an image_id that no image has."
    return Annotations(
        name=file.name,
        root=root,
        paths=paths,
        names=names,
        boxes=[_box(entry, places, labels) for entry in linked],
        ids=[int(entry["id"]) for entry in categories],
        image_ids={p: e["id"] for p, e in zip(paths, images, strict=True)},
        sizes={
            path: (int(entry["width"]), int(entry["height"]))
            for path, entry in zip(paths, images, strict=True)
            if entry.get("width") and entry.get("height")
        },
        notes=(note,) if count else (),
    )


def check_once(values: Sequence, advice: str) -> None:
    """Raises a ValueError with this advice if a value occurs twice."""
    if twice := [value for value, n in Counter(values).items() if n > 1]:
        raise ValueError(f"{twice[0]!r} is listed more than once; {advice}")


def _box(entry, places, labels):
    return Box(
        places[entry["image_id"]],
        corners_of(entry),
        labels.get(entry.get("category_id"), -1),
        bool(entry.get("iscrowd", 0)),
        area_of(entry),
    )


def area_of(entry: Mapping) -> float | None:
    """Returns the area of an annotation; None if it has no positive number."""
    area = number_of(entry.get("area"))
    return area if 0 < area < math.inf else None


def corners_of(entry: Mapping) -> tuple[float, float, float, float]:
    """Returns left, top, right and bottom of an annotation's box.

    NaN if it has no box of four numbers.
    """
    try:
        x, y, width, height = map(float, entry["bbox"])
    except (KeyError, TypeError, ValueError):
        return (math.nan,) * 4
    return x, y, x + width, y + height


def _root(file, paths):
    """Returns the folder in which most of some paths exist."""
    sample = paths[:: max(len(paths) // 16, 1)]
    split = file.stem.rpartition("_")[2]  # train2017
    folders = [
        file.parent / name / part
        for part in ("", split, *PARTS)
        for name in FOLDERS
    ]

    def count(root):
        return sum((root / _on_disk(root, path)).is_file() for path in sample)

    return max(folders, key=count)


def _on_disk(root, path):
    """Returns a path as its file is spelled; macOS takes letters apart."""
    if path.isascii():
        return path
    forms = path, *(unicodedata.normalize(f, path) for f in ("NFC", "NFD"))
    return next((p for p in forms if (root / p).is_file()), path)
