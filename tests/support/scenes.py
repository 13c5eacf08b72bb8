"""Drawn scenes: squares and discs with boxes, and kites with points."""

import csv
import json
import pathlib

import numpy as np
from PIL import Image, ImageDraw

NAMES = ("disc", "square")
COLOURS = ((60, 200, 90), (230, 120, 40))


def draw_scene(rng, size=(48, 36), most=3):
    """An image of no to three shapes that do not overlap, and their boxes.

    Returns:
        A Pillow image, and a list of (label, [left, top, right, bottom]).
    """
    pixels = rng.integers(0, 50, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(pixels)
    draw, boxes = ImageDraw.Draw(image), []
    for _ in range(rng.integers(0, most + 1)):
        side = int(rng.integers(10, 16))
        x, y = (int(rng.integers(0, s - side)) for s in size)
        box = [x, y, x + side, y + side]
        if any(_meet(box, other) for _, other in boxes):
            continue
        label = int(rng.integers(0, 2))
        shape = draw.rectangle if label else draw.ellipse
        shape([x, y, x + side - 1, y + side - 1], fill=COLOURS[label])
        boxes.append((label, box))
    return image, boxes


def draw_kite(rng, size=(48, 36)):
    """An image of a kite, and its named points in pixels."""
    pixels = rng.integers(0, 50, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(pixels)
    draw, unit = ImageDraw.Draw(image), int(rng.integers(8, 11))
    x, y = (int(rng.integers(unit + 1, s - unit)) for s in size)
    points = {
        "tip": (x, y - unit),
        "left_foot": (x - unit // 2, y + unit // 2),
        "right_foot": (x + unit // 2, y + unit // 2),
    }
    draw.polygon(list(points.values()), fill=COLOURS[0])
    draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=COLOURS[1])
    return image, points


def make_kites(folder: pathlib.Path, train=24, test=8, size=(48, 36)):
    """Writes `images`, `train.csv` and `test.csv` with places in fractions."""
    (folder / "images").mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        rng = np.random.default_rng(len(split))
        rows = []
        for i in range(count):
            image, points = draw_kite(rng, size)
            path = f"images/{split}{i:02}.png"
            image.save(folder / path)
            row = {"path": path}
            for name, (x, y) in points.items():
                row |= {f"{name}_x": x / size[0], f"{name}_y": y / size[1]}
            rows.append(row)
        with open(folder / f"{split}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def make_scenes(folder: pathlib.Path, train=24, test=8, size=(48, 36)):
    """Writes `images`, `train.json` and `test.json` in COCO's form."""
    (folder / "images").mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        rng = np.random.default_rng(len(split))
        images, annotations = [], []
        for i in range(count):
            image, boxes = draw_scene(rng, size if i % 4 else size[::-1])
            name = f"{split}{i:02}.png"
            image.save(folder / "images" / name)
            width, height = image.size
            images.append(
                {
                    "id": 100 + i,
                    "file_name": name,
                    "width": width,
                    "height": height,
                }
            )
            for label, (x0, y0, x1, y1) in boxes:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": 100 + i,
                        "category_id": 3 + 4 * label,
                        "bbox": [x0, y0, x1 - x0, y1 - y0],
                        "iscrowd": 0,
                    }
                )
        categories = [{"id": 3 + 4 * i, "name": n} for i, n in enumerate(NAMES)]
        value = {
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        (folder / f"{split}.json").write_text(json.dumps(value))
    return folder


def _meet(one, other):
    return (
        one[0] < other[2]
        and other[0] < one[2]
        and one[1] < other[3]
        and other[1] < one[3]
    )
