"""Detection in tiles of a large image, with merged results."""

import io
import os
import re

import numpy as np

from byol_tf.modalities.image.decode import decode_image

OVERLAP = 0.2  # overlap of neighbouring tiles, as a share of a tile
_SAME_OVERLAP = 0.5  # overlap of two boxes that are one object
_BORDER = 0.02  # share of a tile; a box ending this near its border is cut
_LEFT, _TOP, _RIGHT, _BOTTOM = range(4)


def parse_tiles(text: str) -> tuple[int, int]:
    """Parses columns and rows of "2x3".

    Raises:
        ValueError: if the text is invalid.
    """
    match = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", text)
    if not match:
        raise ValueError(
            "--tiles must be columns by rows from 1 to 99, such as 2x2. "
            f"Received: {text!r}"
        )
    return int(match[1]), int(match[2])


def tile_places(width: int, height: int, grid: tuple[int, int]) -> np.ndarray:
    """Returns places of the whole image and of its overlapping tiles.

    Args:
        width: width of the image in pixels.
        height: height of the image in pixels.
        grid: columns and rows of tiles.

    Returns:
        int `[1 + columns * rows, 4]`: left, top, right, bottom; `[1, 4]` for
        one tile.
    """
    whole = (0, 0, width, height)
    if grid == (1, 1):
        return np.array([whole])
    across, down = (
        _spans(n, k) for n, k in zip((width, height), grid, strict=True)
    )
    tiles = [(x0, y0, x1, y1) for y0, y1 in down for x0, x1 in across]
    return np.array([whole, *tiles])


def _spans(length, count):
    size = min(int(np.ceil(length / (count - (count - 1) * OVERLAP))), length)
    starts = np.linspace(0, length - size, count).round().astype(int)
    return [(start, start + size) for start in starts.tolist()]


def cut_tiles(
    data: bytes | str | os.PathLike, grid: tuple[int, int], max_pixels: int
) -> tuple[list[bytes], np.ndarray]:
    """Returns `.npy` files of an image and its tiles, and `tile_places`.

    They hold the values of the file, to be decoded as it would be.

    Raises:
        ImageError: if it cannot be decoded, or has more than `max_pixels`.
    """
    pixels = decode_image(data, max_pixels=max_pixels)
    places = tile_places(*pixels.shape[1::-1], grid)
    return [npy(pixels[y0:y1, x0:x1]) for x0, y0, x1, y1 in places], places


def npy(pixels: np.ndarray) -> bytes:
    """Returns an array as the bytes of an `.npy` file."""
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def join_boxes(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    places: np.ndarray,
    confidence: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merges boxes of all tiles to boxes of the image, one per object.

    If several tiles show a whole object, the most confident box stays. Pieces
    cut off by tiles are dropped in favour of it, or replaced by the box around
    them.

    Args:
        boxes: float `[tiles, k, 4]`, in pixels of each tile.
        scores: `[tiles, k]`; boxes with score 0 do not exist.
        classes: int `[tiles, k]`.
        places: places of the tiles, see `tile_places`.
        confidence: pieces with a lower score do not extend one that has it.

    Returns:
        Boxes `[n, 4]` in pixels of the image, scores and classes, by descending
        score.
    """
    tile, rank = np.nonzero(scores > 0)
    places = np.float64(places)
    corners = boxes[tile, rank] + np.tile(places[tile, :2], 2)
    cut_sides = _cut_sides(corners, places[tile], places.max(axis=0))
    labels, score = classes[tile, rank], np.float64(scores[tile, rank])
    objects: list[int] = []
    for i in np.lexsort((-score, cut_sides.any(axis=1))):
        same_class = [j for j in objects if labels[j] == labels[i]]
        for j in same_class:
            if tile[j] != tile[i] and _is_one_object(corners, cut_sides, i, j):
                if score[i] >= confidence or score[j] < confidence:
                    _absorb(corners, cut_sides, i, j)
                score[j] = max(score[i], score[j])
                break
        else:
            objects.append(i)
    objects = sorted(objects, key=lambda i: -score[i])
    return corners[objects], score[objects], labels[objects]


def _cut_sides(boxes, places, limits):
    """Returns which sides end at an inner border of the tile."""
    size = places[:, 2:] - places[:, :2]
    near = np.abs(boxes - places) <= np.tile(_BORDER * size, 2)
    inner = np.column_stack([places[:, :2] > 0, places[:, 2:] < limits[2:]])
    return near & inner


def _is_one_object(boxes, cut_sides, i, j):
    one, other = boxes[[i, j]]
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[2:], other[2:])
    size = np.maximum(high - low, 0)
    intersection, areas = size.prod(), [_area(one), _area(other)]
    if not (cut_sides[i].any() or cut_sides[j].any()):
        return intersection >= _SAME_OVERLAP * (sum(areas) - intersection)
    if intersection >= _SAME_OVERLAP * min(areas):
        return True
    return _facing(boxes, cut_sides, i, j, _LEFT) or _facing(
        boxes, cut_sides, i, j, _TOP
    )


def _facing(boxes, cut_sides, i, j, side):
    """Tells if both are cut where they meet, and are equally high or wide."""
    opposite, across = side + 2, 1 - side
    for a, b in ((i, j), (j, i)):
        meet = boxes[a, opposite] >= boxes[b, side]
        if cut_sides[a, opposite] and cut_sides[b, side] and meet:
            low = boxes[[a, b], across]
            high = boxes[[a, b], across + 2]
            shared = high.min() - low.max()
            if shared >= _SAME_OVERLAP * (high.max() - low.min()):
                return True
    return False


def _absorb(boxes, cut_sides, i, j):
    """Extends the box j by i if both are pieces."""
    if not cut_sides[j].any():
        return
    boxes[j, :2] = np.minimum(boxes[i, :2], boxes[j, :2])
    boxes[j, 2:] = np.maximum(boxes[i, 2:], boxes[j, 2:])
    for side in (_LEFT, _TOP):
        opposite = side + 2
        if cut_sides[i, opposite] and cut_sides[j, side]:
            cut_sides[j, side] = cut_sides[i, side]
        elif cut_sides[i, side] and cut_sides[j, opposite]:
            cut_sides[j, opposite] = cut_sides[i, opposite]


def _area(box):
    return (box[2:] - box[:2]).prod()
