"""Points in whole images and in the centre squares that are cut from them."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

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
    sizes = np.empty((len(paths), 2), np.int64)
    for row, path in enumerate(paths):
        try:
            sizes[row] = upright_size(pathlib.Path(folder) / path)
        except ImageError as error:
            raise ValueError(
                f"the size of {path} in {folder} cannot be read: {error}"
            ) from error
    return sizes


def into_square(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Points of whole images as points of their centre squares.

    Args:
        points: `[n, points, 2]`, x and y in fractions of width and height.
        sizes: `[n, 2]`, widths and heights.

    Returns:
        `[n, points, 2]` in fractions of the side of the square, which is the
        shorter side of the image; NaN outside of the square.
    """
    stretch = _sides(sizes)
    points = (points - 0.5) * stretch + 0.5
    outside = ((points < 0) | (points > 1)).any(axis=-1, keepdims=True)
    return np.where(outside, np.nan, points)


def out_of_square(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Points of centre squares as points of the whole images.

    The inverse of `into_square`.
    """
    return (points - 0.5) / _sides(sizes) + 0.5


def _sides(sizes):
    """Width and height in shorter sides, `[n, 1, 2]`."""
    sizes = np.asarray(sizes, np.float64)
    return (sizes / sizes.min(axis=1, keepdims=True))[:, np.newaxis]
