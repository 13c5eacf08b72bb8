"""Resizing of single images by Pillow, of any depth and channels."""

import numpy as np
from PIL import Image


def resize_and_centre_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes the shorter side to `size` and cuts out the centre square.

    Bicubic, with antialiasing where the image shrinks.

    Args:
        image: `[height, width, channels]`, any number of channels.
        size: pixels of a side.

    Returns:
        `[size, size, channels]` of the same dtype.
    """
    if image.shape[:2] == (size, size):
        return image
    return _by_planes(image, lambda plane: centre_square(plane, size))


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """Resizes the centre square of a Pillow image to `size` pixels a side.

    As `resize_and_centre_crop`.
    """
    width, height = image.size
    if (width, height) == (size, size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.BICUBIC, box)


def letterbox(image: np.ndarray) -> np.ndarray:
    """Adds black to `[height, width, channels]` until it is square.

    To the right or at the bottom: the image lies at the top left, and pixels
    become fractions of the square by the longer side alone.
    """
    side = max(image.shape[:2])
    after = [(0, side - length) for length in image.shape[:2]]
    return np.pad(image, [*after, (0, 0)])


def resize_box(
    image: np.ndarray,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    method: str,
) -> np.ndarray:
    """Resizes a part of one image, averaging where it shrinks.

    Args:
        image: uint8 `[height, width, channels]`.
        box: top, left, height and width of the part, pixels.
        size: height and width of the result.
        method: "bicubic" or "bilinear".
    """
    top, left, rows, columns = box
    part = image[top : top + rows, left : left + columns]
    filters = Image.Resampling
    how = filters.BICUBIC if method == "bicubic" else filters.BILINEAR
    return _by_planes(part, lambda plane: plane.resize(size[::-1], how))


def _by_planes(image, change):
    """What a function makes of Pillow images of RGB, or of each channel."""
    deep = image.dtype != np.uint8
    whole = image.shape[-1] == 3 and not deep
    planes = [image] if whole else np.moveaxis(image, -1, 0)
    changed = [
        np.asarray(change(Image.fromarray(np.ascontiguousarray(plane))))
        for plane in (planes.astype(np.float32) if deep else planes)
    ]
    changed = changed[0] if whole else np.stack(changed, axis=-1)
    if image.dtype == np.uint16:
        changed = np.clip(np.round(changed), 0, 65535)
    return changed.astype(image.dtype, copy=False)
