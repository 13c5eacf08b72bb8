"""Reads boxes in COCO's JSON."""

import pathlib
from collections.abc import Mapping, Sequence

from byol_tf.data.annotations.listed import Box, Listed
from byol_tf.files import is_inside, loading, read_json
from byol_tf.lines import nfc

FOLDERS = ("", "images", "../images", "..", "train", "test", "val")


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


def read_coco(file: pathlib.Path) -> Listed:
    """Reads images, categories and boxes of a COCO file.

    Category ids may have gaps; `file_name` is relative to the file, to `images`
    beside it, or to the parent folder.

    Raises:
        ValueError: if the file is invalid; says what is wrong.
    """
    with loading(file):
        return listed_in(file, read_json(file))


def listed_in(file: pathlib.Path, value: Mapping) -> Listed:
    """Returns the contents of a COCO file from its JSON; see `read_coco`.

    Raises:
        KeyError, TypeError, ValueError: if the JSON is invalid; within
            `loading` this becomes an error that names the file.
    """
    images, categories = value["images"], value["categories"]
    categories = sorted(categories, key=lambda entry: entry["id"])
    labels = {c["id"]: i for i, c in enumerate(categories)}
    names = [nfc(str(entry["name"])) for entry in categories]
    paths = [nfc(str(entry["file_name"])) for entry in images]
    outside = [path for path in paths if not is_inside(path)]
    if outside:
        raise ValueError(f"{outside[0]!r} leads out of the folder")
    places = {entry["id"]: i for i, entry in enumerate(images)}
    boxes = [
        _box(entry, places, labels)
        for entry in value.get("annotations", [])
        if entry["image_id"] in places and "bbox" in entry
    ]
    return Listed(
        name=file.name,
        root=_root(file.parent, paths),
        paths=paths,
        names=names,
        boxes=boxes,
        ids=[int(entry["id"]) for entry in categories],
        image_ids={p: e["id"] for p, e in zip(paths, images, strict=True)},
        sizes={
            path: (int(entry["width"]), int(entry["height"]))
            for path, entry in zip(paths, images, strict=True)
            if entry.get("width") and entry.get("height")
        },
    )


def _box(entry, places, labels):
    x, y, width, height = map(float, entry["bbox"])
    area = entry.get("area")
    return Box(
        places[entry["image_id"]],
        (x, y, x + width, y + height),
        labels.get(entry["category_id"], -1),
        bool(entry.get("iscrowd", 0)),
        None if area is None else float(area),
    )


def _root(folder, paths):
    """Returns the folder in which most of some paths exist."""
    some = paths[:: max(len(paths) // 16, 1)]
    found = [folder / name for name in FOLDERS]
    return max(found, key=lambda root: sum((root / p).is_file() for p in some))
