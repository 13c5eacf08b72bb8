"""Finds the annotations of a split in a folder."""

import os
import pathlib
from collections.abc import Callable, Collection

from byol_tf.data.annotations.coco import find_coco, read_coco
from byol_tf.data.annotations.coco_points import has_points
from byol_tf.data.annotations.listed import Annotations
from byol_tf.data.annotations.voc import find_voc, read_voc
from byol_tf.data.annotations.yolo import find_yolo, read_yolo
from byol_tf.data.label_table import read_label_table
from byol_tf.data.layout import SPLITS

LISTED = "listed"  # name of the source
TESTS = ("test", "validation")  # splits to test on, in order of preference


def find_boxes(
    directory: str | os.PathLike, split: str, extensions: Collection[str]
) -> Callable[[], Annotations] | None:
    """Returns a function that reads the boxes of a split; None without any.

    Args:
        directory: folder with `train.json`, or in the layouts of YOLO or VOC.
        split: its name, or another of `SPLITS` for the same.
        extensions: extensions of images, in lower case.
    """
    directory, words = pathlib.Path(directory), _words(split)
    if file := find_coco(directory, words):
        return lambda: read_coco(file)
    if folder := find_yolo(directory, words):
        return lambda: read_yolo(directory, folder, extensions)
    if file := find_voc(directory, words):
        return lambda: read_voc(directory, file)
    return None


def find_coco_points(
    directory: str | os.PathLike, split: str
) -> pathlib.Path | None:
    """Returns COCO's file of a split if it names points; else None."""
    directory, words = pathlib.Path(directory), _words(split)
    patterns = (f"annotations/person_keypoints_{w}*.json" for w in words)
    files = (file for p in patterns for file in sorted(directory.glob(p)))
    file = next(files, None) or find_coco(directory, words)
    return file if file and has_points(file) else None


def find_points(
    directory: str | os.PathLike, split: str
) -> pathlib.Path | None:
    """Returns the CSV file of a split, such as `train.csv`, or None."""
    files = [pathlib.Path(directory) / f"{w}.csv" for w in _words(split)]
    return next(filter(pathlib.Path.is_file, files), None)


def listed_images(
    directory: str | os.PathLike, split: str, extensions: Collection[str]
) -> tuple[pathlib.Path, list[str]]:
    """Returns a folder, and the images in it that a split lists.

    Raises:
        ValueError: if there are no annotations of the split.
    """
    if read := find_boxes(directory, split, extensions):
        annotations = read()
        return annotations.root, list(annotations.paths)
    if file := find_points(directory, split):
        return pathlib.Path(directory), list(read_label_table(file).paths)
    raise ValueError(
        f"{str(directory)!r} has no annotations for the split {split!r}; "
        f"looked for {split}.json (COCO), data.yaml with images and labels "
        f"(YOLO), ImageSets/Main/{split}.txt (VOC) and {split}.csv (points)"
    )


def find_test_split(
    directory: str | os.PathLike, extensions: Collection[str]
) -> str:
    """Returns the name of a split to test on; "" if there is none."""
    return next(
        (
            name
            for name in TESTS
            if find_boxes(directory, name, extensions)
            or find_points(directory, name)
        ),
        "",
    )


def _words(split):
    synonyms = (words for words in SPLITS.values() if split in words)
    return next(synonyms, (split,))
