"""Reads objects with named keypoints in COCO's JSON."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.data.annotations.coco import (
    area_of,
    check_once,
    corners_of,
    parse_coco,
)
from byol_tf.files import loading, read_json
from byol_tf.lines import nfc

UNKNOWN, HIDDEN, SEEN = range(3)  # COCO's visibility
CONTEXT = 0.25  # margin around a box as a share of it, half on each side


def crop_around(
    corners: Sequence[float], width: int, height: int
) -> tuple[int, int, int, int] | None:
    """Returns where an object is cut out of its image.

    Args:
        corners: left, top, right, bottom of its box, in pixels.
        width: width of the image.
        height: height of the image.

    Returns:
        Left, top, right, bottom, within the image; None if less than two
        pixels are within it, or a corner is no number.
    """
    if not np.isfinite(corners).all():
        return None
    x0, y0, x1, y1 = corners
    margin_x, margin_y = CONTEXT / 2 * (x1 - x0), CONTEXT / 2 * (y1 - y0)
    left, top = max(int(x0 - margin_x), 0), max(int(y0 - margin_y), 0)
    right = min(int(np.ceil(x1 + margin_x)), width)
    bottom = min(int(np.ceil(y1 + margin_y)), height)
    if right - left < 2 or bottom - top < 2:
        return None
    return left, top, right, bottom


def scale_of(
    stated_size: tuple[int, int] | None, width: int, height: int
) -> np.ndarray | None:
    """Returns what x and y in a file are multiplied by for its image.

    Args:
        stated_size: width and height of the image in the file; None: not given.
        width: width of the upright image.
        height: height of the upright image.

    Returns:
        Two numbers; None if EXIF rotates the image, but not its labels.
    """
    if stated_size == (height, width) != (width, height):
        return None
    return np.divide((width, height), stated_size or (width, height))


class PointedObject(NamedTuple):
    """One object with keypoints.

    Attributes:
        path: path of its image, relative to `PointedObjects.root`.
        image_id: COCO's id.
        annotation_id: COCO's id.
        corners: left, top, right, bottom in pixels.
        area: in pixels.
        points: float64 `[points, 3]`: x and y in pixels, and visibility.
    """

    path: str
    image_id: int
    annotation_id: int
    corners: tuple[float, float, float, float]
    area: float
    points: np.ndarray


class PointedObjects(NamedTuple):
    """The objects of a file, without those that have no labelled point."""

    root: pathlib.Path
    names: tuple[str, ...]
    objects: list[PointedObject]
    sizes: Mapping[str, tuple[int, int]]  # as in the file, by path


def has_points(file: str | os.PathLike) -> bool:
    """Returns whether a COCO file has keypoints."""
    with loading(file):
        categories = read_json(file)["categories"]
        return any(entry.get("keypoints") for entry in categories)


def read_coco_points(file: str | os.PathLike) -> PointedObjects:
    """Reads the objects of a file that have labelled points.

    Leaves out crowds.

    Raises:
        ValueError: if it is no such file, or its categories differ in points.
    """
    file = pathlib.Path(file)
    with loading(file):
        value = read_json(file)
        annotations = parse_coco(file, value)
        names = [
            tuple(nfc(str(name)) for name in entry["keypoints"])
            for entry in value["categories"]
            if entry.get("keypoints")
        ]
        if len(set(names)) != 1:
            raise ValueError(
                f"it has categories with {len(set(names))} sets of points, "
                "and one can be learned; keep the annotations of one"
            )
        paths = {image: path for path, image in annotations.image_ids.items()}
        objects = [
            _object(entry, paths, len(names[0]))
            for entry in value["annotations"]
            if entry.get("num_keypoints", 1)
            and entry.get("keypoints")
            and not entry.get("iscrowd", 0)
            and entry.get("image_id") in paths
        ]
        ids = [entry.annotation_id for entry in objects]
        check_once(ids, "annotations need ids of their own")
    objects = [o for o in objects if (o.points[:, 2] > UNKNOWN).any()]
    if not objects:
        raise ValueError(f"{file} has no object with labelled points")
    return PointedObjects(
        annotations.root, names[0], objects, annotations.sizes
    )


def _object(entry, paths, count):
    points = np.array(entry["keypoints"], np.float64)
    if points.shape != (3 * count,):
        raise ValueError(
            f"annotation {entry['id']} has {len(points)} numbers of points, "
            f"not x, y and visibility of {count}"
        )
    points = points.reshape(count, 3)
    points[~np.isfinite(points).all(axis=1)] = UNKNOWN
    x0, y0, x1, y1 = corners_of(entry)
    return PointedObject(
        paths[entry["image_id"]],
        entry["image_id"],
        entry["id"],
        (x0, y0, x1, y1),
        area_of(entry) or (x1 - x0) * (y1 - y0),
        points,
    )
