"""Maps points and boxes between images, squares and random views."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.modalities.image.decode import ImageError, upright_size


def upright_sizes(
    folder: str | os.PathLike, paths: Sequence[str]
) -> np.ndarray:
    """Reads the sizes of image files, after EXIF's orientation.

    Args:
        folder: folder of the images.
        paths: paths relative to the folder.

    Returns:
        int `[n, 2]`, widths and heights.

    Raises:
        ValueError: if a file cannot be read.
    """
    sizes = []
    for path in paths:
        try:
            sizes.append(upright_size(pathlib.Path(folder) / path))
        except ImageError as error:
            raise ValueError(
                f"the size of {path} in {folder} cannot be read: {error}"
            ) from error
    return np.array(sizes, np.int64).reshape(-1, 2)


def into_square(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Maps points of whole images to their centre squares.

    Args:
        points: `[n, points, 2]`, x and y as fractions of width and height.
        sizes: `[n, 2]`, widths and heights.

    Returns:
        `[n, points, 2]` as fractions of the side of the square, which is the
        shorter side of the image; NaN outside the square.
    """
    stretch = _sides(sizes).numpy()
    points = (points - 0.5) * stretch + 0.5
    outside = ((points < 0) | (points > 1)).any(axis=-1, keepdims=True)
    return np.where(outside, np.nan, points)


def out_of_square(points: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Inverts `into_square`, in TensorFlow.

    Returns:
        float64 `[n, points, 2]`; float32 would be off by a tenth of a pixel in
        a panorama.
    """
    return (tf.cast(points, tf.float64) - 0.5) / _sides(sizes) + 0.5


def into_whole(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Maps points of images to the squares that `letterbox` makes.

    Args:
        points: `[n, points, 2]`, x and y as fractions of width and height.
        sizes: `[n, 2]`, widths and heights.

    Returns:
        `[n, points, 2]` as fractions of the longer side.
    """
    return points * _sides(sizes, tf.reduce_max).numpy()


def out_of_whole(points: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Inverts `into_whole`, in TensorFlow; float32.

    It only divides, so it is exact to 1/500 of a pixel at 20,000 pixels.
    """
    sizes = tf.cast(sizes, tf.float32)
    stretch = tf.reduce_max(sizes, 1, keepdims=True) / sizes
    return tf.cast(points, tf.float32) * stretch[:, None]


def move_points(points: tf.Tensor, where: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Moves points along with random views of their images.

    Args:
        points: float32 `[batch, points, 2]`, x and y as fractions of width and
            height.
        where: place of each view, see `View.draw_with_where`.

    Returns:
        The points as fractions of the view; NaN outside it.
    """
    moved = _moved(points, where)
    inside = tf.reduce_all((moved >= 0) & (moved <= 1), -1, keepdims=True)
    return tf.where(inside, moved, float("nan"))


def move_boxes(
    boxes: tf.Tensor, where: Mapping[str, tf.Tensor], least: float = 0.3
) -> tf.Tensor:
    """Moves boxes along with random views, and clips them at the border.

    Args:
        boxes: float32 `[batch, boxes, 4]`: left, top, right, bottom as
            fractions of width and height; NaN where there is none.
        where: place of each view, see `View.draw_with_where`. In a rotated view
            a box becomes the bounding box of its rotated corners.
        least: share of a box that must remain in the view.

    Returns:
        The boxes as fractions of the view; NaN where too little remains.
    """
    x0, y0, x1, y1 = tf.unstack(boxes, axis=-1)
    corners = tf.stack([x0, y0, x1, y0, x0, y1, x1, y1], axis=-1)
    shape = tf.shape(boxes)
    corners = tf.reshape(corners, [shape[0], -1, 2])
    moved = tf.reshape(_moved(corners, where), [shape[0], shape[1], 4, 2])
    low, high = tf.reduce_min(moved, axis=2), tf.reduce_max(moved, axis=2)
    clipped = tf.clip_by_value(low, 0.0, 1.0), tf.clip_by_value(high, 0.0, 1.0)
    area, clipped_area = (
        tf.reduce_prod(b - a, axis=-1, keepdims=True)
        for a, b in ((low, high), clipped)
    )
    # Also false for NaN.
    is_kept = (clipped_area > 0) & (clipped_area >= least * area)
    return tf.where(is_kept, tf.concat(clipped, axis=-1), float("nan"))


def _moved(points, where):
    """Returns points as fractions of the view, inside it or not."""
    top, left, height, width = tf.unstack(where["box"][:, None], axis=-1)
    x, y = (points[..., 0] - left) / width, (points[..., 1] - top) / height
    x = tf.where(where["flip"][:, None], 1.0 - x, x)
    if "angle" in where:
        radians = where["angle"][:, None] * (math.pi / 180.0)
        cos, sin = tf.cos(radians), tf.sin(radians)
        x, y = x - 0.5, y - 0.5
        x, y = cos * x + sin * y + 0.5, cos * y - sin * x + 0.5
    return tf.stack([x, y], axis=-1)


def _sides(sizes, unit=tf.reduce_min):
    """Returns width and height in shorter or longer sides, `[n, 1, 2]`."""
    sizes = tf.cast(sizes, tf.float64)
    return (sizes / unit(sizes, 1, keepdims=True))[:, None]
