"""Points in whole images, in their centre squares and in random views."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from byol_tf.modalities.image.decode import ImageError, upright_size


def upright_sizes(
    folder: str | os.PathLike, paths: Sequence[str]
) -> np.ndarray:
    """Sizes of image files as they are shown, after EXIF's orientation.

    Args:
        folder: of the images.
        paths: relative to the folder.

    Returns:
        int `[n, 2]`, widths and heights.

    Raises:
        ValueError: a file cannot be read.
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
    """Points of whole images as points of their centre squares.

    Args:
        points: `[n, points, 2]`, x and y in fractions of width and height.
        sizes: `[n, 2]`, widths and heights.

    Returns:
        `[n, points, 2]` in fractions of the side of the square, which is the
        shorter side of the image; NaN outside of the square.
    """
    stretch = _sides(sizes).numpy()
    points = (points - 0.5) * stretch + 0.5
    outside = ((points < 0) | (points > 1)).any(axis=-1, keepdims=True)
    return np.where(outside, np.nan, points)


def out_of_square(points: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Inverts `into_square`, in TensorFlow.

    Returns:
        float64 `[n, points, 2]`: float32 would be off by a pixel's tenth in a
        panorama.
    """
    return (tf.cast(points, tf.float64) - 0.5) / _sides(sizes) + 0.5


def move_points(points: tf.Tensor, where: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Moves points along with random views of their images.

    Args:
        points: float32 `[batch, points, 2]`, x and y in fractions of width
            and height.
        where: box and flip of each view, see `View.draw_with_where`.

    Returns:
        The points in fractions of the view; NaN outside of it.
    """
    top, left, height, width = tf.unstack(where["box"][:, None], axis=-1)
    x, y = (points[..., 0] - left) / width, (points[..., 1] - top) / height
    x = tf.where(where["flip"][:, None], 1.0 - x, x)
    moved = tf.stack([x, y], axis=-1)
    inside = tf.reduce_all((moved >= 0) & (moved <= 1), -1, keepdims=True)
    return tf.where(inside, moved, float("nan"))


def _sides(sizes):
    """Width and height in shorter sides, float64 `[n, 1, 2]`."""
    sizes = tf.cast(sizes, tf.float64)
    return (sizes / tf.reduce_min(sizes, 1, keepdims=True))[:, None]
