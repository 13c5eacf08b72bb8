"""Crops objects with keypoints out of their images, one example each."""

import csv
import pathlib
from collections.abc import Sequence

import numpy as np

from byol_tf.data.annotations.coco_points import (
    UNKNOWN,
    PointedObject,
    crop_around,
    read_coco_points,
    scale_of,
)
from byol_tf.tasks.cut_objects import as_file, decode_image
from byol_tf.tasks.oks import COLUMNS


def write_crops(
    file: pathlib.Path, folder: pathlib.Path, split: str, max_pixels: int
) -> pathlib.Path:
    """Writes a file per object, and a table of their points.

    Crops have the values of their images: PNG for 8 or 16 bits, else `.npy`.

    Args:
        file: COCO's JSON.
        folder: gets `<split>.csv` and the images in a new folder `<split>`.
        split: name of the split.
        max_pixels: objects of larger images are left out.

    Returns:
        The table: places as fractions of the crop, empty for unlabelled points,
        `<name>_v`, COCO's visibility, and `oks.COLUMNS`.

    Raises:
        ValueError: if the file is invalid, or none of its images can be read.
    """
    dataset = read_coco_points(file)
    (folder / split).mkdir(parents=True)
    rows = []
    objects_by_path = {}
    for obj in dataset.objects:
        objects_by_path.setdefault(obj.path, []).append(obj)
    for number, (path, image_objects) in enumerate(objects_by_path.items()):
        try:
            pixels = decode_image(dataset.root / path, max_pixels=max_pixels)
        except (ValueError, OSError) as error:
            print(f"Left out: the objects of {path}, {error}.")
            continue
        scale = scale_of(dataset.sizes.get(path), *pixels.shape[1::-1])
        if scale is None:
            print(f"Left out: the objects of {path}, which EXIF rotates.")
            continue
        for obj in image_objects:
            obj = _scaled(obj, scale)
            rows += _write(pixels, obj, dataset.names, folder / split, number)
    if not rows:
        raise ValueError(
            f"no object of {file} lies in an image; are its boxes in pixels, "
            "[left, top, width, height]?"
        )
    if num_lost := len(dataset.objects) - len(rows):
        print(
            f"Left out: {num_lost} objects in unreadable or rotated images, or "
            "with boxes outside of them."
        )
    target = folder / f"{split}.csv"
    with open(target, "w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(
        f"{file.name}: {len(rows)} objects with points, cut out of their "
        f"images by their boxes, in {folder / split}."
    )
    return target


def _scaled(obj, scale):
    corners = tuple(np.multiply(obj.corners, [*scale, *scale]))
    area, points = obj.area * scale.prod(), obj.points * [*scale, 1]
    return obj._replace(corners=corners, area=area, points=points)


def _write(
    pixels: np.ndarray,
    obj: PointedObject,
    names: Sequence[str],
    folder: pathlib.Path,
    number: int,
):
    """Returns the row of an object, unless its box is outside of the image."""
    height, width, _ = pixels.shape
    box = crop_around(obj.corners, width, height)
    if box is None:
        return
    left, top, right, bottom = box
    data, ending = as_file(pixels[top:bottom, left:right])
    name = f"{obj.annotation_id}{ending}"
    (folder / name).write_bytes(data)
    row = {"path": f"{folder.name}/{name}"}
    size = right - left, bottom - top
    for point, (x, y, visible) in zip(names, obj.points, strict=True):
        place = (x - left) / size[0], (y - top) / size[1]
        inside = visible > UNKNOWN and min(place) >= 0 and max(place) <= 1
        coordinates = place if inside else ("", "")
        row |= {f"{point}_x": coordinates[0], f"{point}_y": coordinates[1]}
        row[f"{point}_v"] = int(visible)
    values = number, left, top, obj.area
    yield {**row, **dict(zip(COLUMNS, values, strict=True))}
