"""Converts pixels with any number of channels and any depth, as arrays."""

from typing import NamedTuple

import numpy as np

from byol_tf.data.npy import read_npy_header, read_npy_values
from byol_tf.data.rows import Unreadable

MOST_BANDS = 1024
ORIENTATION = 0x0112  # tag of EXIF and TIFF: 1 to 8, 1 is upright
LUMA = np.float32((0.299, 0.587, 0.114))  # ITU-R 601, as Pillow's


class ImageError(Unreadable):
    """An image that cannot be used; the message gives the reason."""


class ImageHeader(NamedTuple):
    """What a file says about its pixels: size, bands and needed dtype."""

    height: int
    width: int
    bands: int
    dtype: str


def fitting(dtype: np.dtype) -> str:
    """Returns which of "uint8", "uint16" and "float32" holds such values."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "buif":
        raise ImageError(f"pixels of type {dtype} are not numbers")
    names = {"bool": "uint8", "uint8": "uint8", "uint16": "uint16"}
    return names.get(dtype.name, "float32")


def with_channels(pixels: np.ndarray, channels: int | None) -> np.ndarray:
    """Converts to 1 or 3 channels: repeats gray, or takes the luma of RGB.

    Args:
        pixels: `[..., channels]`.
        channels: required number; None: unchanged.

    Raises:
        ValueError: for other numbers that differ.
    """
    current = pixels.shape[-1]
    if channels in (None, current):
        return pixels
    if (current, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=-1)
    if (current, channels) == (3, 1):
        luma = (pixels @ LUMA)[..., np.newaxis]
        is_integer = pixels.dtype.kind == "u"
        return (np.round(luma) if is_integer else luma).astype(pixels.dtype)
    raise ValueError(f"{current} channels, which cannot become {channels}")


def converted(
    pixels: np.ndarray,
    dtype: str | None,
    window: tuple[float, float] | None = None,
) -> np.ndarray:
    """Converts pixels to another dtype, in which black and white stay the same.

    Args:
        pixels: uint8, uint16 or float32.
        dtype: one of those; None: unchanged.
        window: black and white values of the wanted dtype, for 8-bit pixels;
            None: its whole range.

    Raises:
        ImageError: if floats would become integers, since they have no white.
    """
    if dtype in (None, pixels.dtype.name):
        return pixels
    if window and pixels.dtype == np.uint8:
        low, high = window
        scaled = low + pixels / np.float32(255) * (high - low)
        is_integer = dtype == "uint16"
        scaled = np.clip(np.round(scaled), 0, 65535) if is_integer else scaled
        return scaled.astype(dtype)
    if dtype == "float32":
        return pixels / np.float32(np.iinfo(pixels.dtype).max)
    if pixels.dtype.kind == "f":
        raise ImageError(f"it holds floats, and the others {dtype}")
    if dtype == "uint16":
        return pixels.astype(np.uint16) * np.uint16(257)
    # Rounded value * 255 / 65535.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def read_npy(file, check) -> tuple[ImageHeader, np.ndarray | None]:
    """Reads a `.npy` file `[height, width]` or `[height, width, channels]`.

    Args:
        file: binary and seekable, at its start.
        check: called with the `ImageHeader` before pixels are read; returns
            whether to read them.

    Raises:
        Unreadable: if it is no such array.
    """
    header = read_npy_header(file)
    shape, _, dtype = header
    if (
        len(shape) not in (2, 3)
        or 0 in shape
        or max(shape[2:], default=1) > (MOST_BANDS)
    ):
        raise ImageError(
            "an array must be [height, width] or [height, width, channels], "
            f"not of shape {shape}"
        )
    image_header = ImageHeader(*shape[:2], (*shape, 1)[2], fitting(dtype))
    if not check(image_header):
        return image_header, None
    pixels = read_npy_values(file, header)
    if dtype.kind == "b":
        pixels = pixels * np.uint8(255)
    return image_header, pixels.reshape(*shape[:2], -1).astype(
        image_header.dtype
    )


def read_tiff(file, check) -> tuple[ImageHeader, np.ndarray | None]:
    """Reads the first page of a TIFF whose bands Pillow cannot read.

    Arguments and results are those of `read_npy`.

    Raises:
        ImageError: if tifffile is missing, or it is no such image.
    """
    try:
        import tifffile
    except ImportError:
        raise ImageError(
            "a TIFF of such bands needs tifffile: pip install 'byol-tf[tiff]'"
        ) from None
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        axes, shape = page.axes, page.shape
        size = dict(zip(axes, shape, strict=True))
        bands = size.get("S", 1)
        if size.keys() - {"S"} != {"X", "Y"} or bands > MOST_BANDS:
            raise ImageError(f"a TIFF of axes {axes}, {shape}, is no image")
        orientation = page.tags.valueof(ORIENTATION, 1)
        sides = "XY" if orientation in range(5, 9) else "YX"
        image_header = ImageHeader(
            *(size[s] for s in sides), bands, fitting(page.dtype)
        )
        if not check(image_header):
            return image_header, None
        pixels = page.asarray()
    if axes.startswith("S"):
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.reshape(size["Y"], size["X"], bands).astype(
        image_header.dtype
    )
    return image_header, turned(pixels, orientation)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns pixels `[height, width, channels]` upright by `ORIENTATION`."""
    if orientation in range(5, 9):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
