"""Resizes single images of any depth and channels with Pillow."""

import math
from collections.abc import Iterable

import numpy as np
from PIL import Image

# A crop that shrinks four times or more is first averaged over whole blocks,
# down to at least twice the size of the result. This takes half the time.
_GAP = 2.0


class Levels(list):
    """An image and smaller versions of it, to cut from.

    The versions are uint8 arrays or Pillow images.

    Args:
        images: the largest first.
        size: height and width of the original, in whose pixels crops are drawn.
    """

    def __init__(self, images: Iterable, size: tuple[int, int]):
        super().__init__(images)
        self.size = size

    def smallest(
        self, box: tuple[float, ...], size: tuple[int, int]
    ) -> tuple[np.ndarray | Image.Image, tuple[float, ...]]:
        """Finds the smallest image in which a box is as large as `size`.

        Args:
            box: top, left, height and width in the original.
            size: height and width.

        Returns:
            The image, or the first if none is so large; and the box in it.
        """
        for image in reversed(self):
            is_pillow = isinstance(image, Image.Image)
            shape = image.size[::-1] if is_pillow else image.shape
            down, across = shape[0] / self.size[0], shape[1] / self.size[1]
            top, left, rows, columns = box
            level_box = top * down, left * across, rows * down, columns * across
            if level_box[2] >= size[0] and level_box[3] >= size[1]:
                break
        return image, level_box


def resize_and_centre_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes the shorter side to `size` and cuts out the centre square.

    Bicubic, with antialiasing when shrinking.

    Args:
        image: `[height, width, channels]`, any number of channels.
        size: side in pixels.

    Returns:
        `[size, size, channels]` of the same dtype.
    """
    if image.shape[:2] == (size, size):
        return image
    return _by_planes(image, lambda plane: centre_square(plane, size))


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """Resizes the centre square of a Pillow image to `size` x `size` pixels.

    See `resize_and_centre_crop`.
    """
    width, height = image.size
    if (width, height) == (size, size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.BICUBIC, box)


def letterbox(image: np.ndarray) -> np.ndarray:
    """Pads `[height, width, channels]` with black to a square.

    The padding is at the right or at the bottom, so that pixels divided by the
    longer side are fractions of the square.
    """
    side = max(image.shape[:2])
    paddings = [(0, side - length) for length in image.shape[:2]]
    return np.pad(image, [*paddings, (0, 0)])


def resize_whole(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes an image to height and width, with a sharp filter."""
    if image.shape[:2] == tuple(size):
        return image
    filters = Image.Resampling
    return _by_planes(
        image, lambda plane: plane.resize(size[::-1], filters.LANCZOS)
    )


def resize_box(
    image: np.ndarray | Image.Image,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    method: str,
) -> np.ndarray:
    """Resizes a part of one image, with averaging when shrinking.

    Args:
        image: uint8 `[height, width, channels]`, or a Pillow image of mode L or
            RGB.
        box: top, left, height and width of the part, in pixels or fractions of
            pixels.
        size: height and width of the result.
        method: "bicubic" or "bilinear".
    """
    top, left, rows, columns = box
    is_pillow = isinstance(image, Image.Image)
    height, width = image.size[::-1] if is_pillow else image.shape[:2]
    crop_top, crop_left = math.floor(top), math.floor(left)
    # Rounding may lead out of the image, where Pillow sees black.
    crop_bottom = min(math.ceil(top + rows), height)
    crop_right = min(math.ceil(left + columns), width)
    top, left = top - crop_top, left - crop_left
    right = min(left + columns, crop_right - crop_left)
    inner_box = left, top, right, min(top + rows, crop_bottom - crop_top)
    filters = Image.Resampling
    resample = filters.BICUBIC if method == "bicubic" else filters.BILINEAR

    def resized(plane):
        return plane.resize(size[::-1], resample, inner_box, _GAP)

    if is_pillow:
        part = image.crop((crop_left, crop_top, crop_right, crop_bottom))
        part = np.asarray(resized(part))
        return part if part.ndim == 3 else part[..., np.newaxis]
    return _by_planes(
        image[crop_top:crop_bottom, crop_left:crop_right], resized
    )


def _by_planes(image, change):
    """Applies a function to an image as Pillow images: RGB, or each channel."""
    is_deep = image.dtype != np.uint8
    is_rgb = image.shape[-1] == 3 and not is_deep
    planes = [image] if is_rgb else np.moveaxis(image, -1, 0)
    results = [
        np.asarray(change(Image.fromarray(np.ascontiguousarray(plane))))
        for plane in (planes.astype(np.float32) if is_deep else planes)
    ]
    results = results[0] if is_rgb else np.stack(results, axis=-1)
    if image.dtype == np.uint16:
        results = np.clip(np.round(results), 0, 65535)
    return results.astype(image.dtype, copy=False)
