"""From the bytes of an image file to pixels, with Pillow alone."""

import io
import os

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

ORIENTATION = 0x0112  # tag of EXIF; from 5 on the image lies on its side
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".gif",
    ".bmp",
    ".webp",
)
MAX_PIXELS = 89_478_485  # where Pillow begins to warn: 256 MiB of RGB
OVERSAMPLING = 2  # sides of a reduced JPEG, at least, by those it becomes
SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")


class ImageError(ValueError):
    """An image that cannot be used; the message is the reason."""


def decode_image(
    data: bytes | str | os.PathLike,
    channels: int | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    least_side: int | None = None,
) -> np.ndarray:
    """Decodes JPEG, PNG, GIF, BMP or WebP, upright and opaque.

    The orientation of EXIF is applied, transparency is laid over white, a
    palette is looked up, CMYK becomes RGB whether or not its values are
    inverted as Adobe writes them, 16 bits are scaled to 8, and of an
    animation the first frame is taken.

    Args:
        data: the bytes, or the path of a file.
        channels: 1 (luma of ITU-R 601), 3 (gray is repeated), or None for 1
            where the file is gray and 3 where it has colours.
        max_pixels: refuse a larger image before decoding it.
        least_side: lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its size as
            long as both sides keep so many pixels; of a photo that is going
            to be resized anyhow, in a third of the time.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        ImageError: if it cannot be decoded or is too large.
        ValueError: if `channels` is not 1, 3 or None.
    """
    check_channels(channels)
    try:
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        with Image.open(source, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(
                    f"{width}x{height} pixels are more than the limit of "
                    f"{max_pixels}"
                )
            if least_side is not None:
                image.draft(None, (least_side, least_side))
            mode = {1: "L", 3: "RGB"}.get(channels)
            pixels = np.array(_flatten(image, mode))
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"not an image ({', '.join(FORMATS)})") from None
    # Pillow's decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise ImageError(_reason(error)) from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def decode_square(
    data: bytes | str | os.PathLike, size: int, channels: int | None = None
) -> np.ndarray:
    """Decodes to `size` pixels of a side, by centre crop.

    Args:
        data: the bytes, or the path of a file.
        size: pixels of a side.
        channels: see `decode_image`.

    Returns:
        uint8 `[size, size, channels]`.

    Raises:
        ImageError: if it cannot be decoded or is too large.
    """
    image = decode_image(data, channels, least_side=OVERSAMPLING * size)
    return resize_and_centre_crop(image, size)


def check_channels(channels: int | None) -> None:
    """Raises a ValueError unless `channels` is 1, 3 or None."""
    if channels not in (1, 3, None):
        raise ValueError(
            f"`channels` must be 1, 3 or None. Received: channels={channels}"
        )


def resize_and_centre_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes the shorter side to `size` and cuts out the centre square.

    Bicubic, with antialiasing where the image shrinks.

    Args:
        image: uint8 `[height, width, channels]`, any number of channels.
        size: pixels of a side.

    Returns:
        uint8 `[size, size, channels]`.
    """
    height, width, channels = image.shape
    if (height, width) == (size, size):
        return image
    side = min(height, width)
    top, left = (height - side) / 2, (width - side) / 2
    box = (left, top, left + side, top + side)

    def resize(plane):
        plane = Image.fromarray(np.ascontiguousarray(plane))
        return np.asarray(plane.resize((size, size), Image.BICUBIC, box))

    if channels == 3:
        return resize(image)
    return np.stack([resize(image[..., i]) for i in range(channels)], axis=-1)


def _flatten(image, mode):
    """An upright, opaque image of mode L or RGB, of the wanted one if any."""
    # Pillow takes every CMYK JPEG for inverted; only Adobe's are.
    inverted = image.mode == "CMYK" and "adobe" not in image.info
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image).astype(np.uint32)
        # Rounded value * 255 / 65535.
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if inverted:
        image = ImageChops.invert(image)
    if image.has_transparency_data:
        image = _over_white(image)
    gray = image.mode in ("1", "L")
    return image.convert(mode or ("L" if gray else "RGB"))


def _over_white(image):
    gray = image.mode in ("1", "L", "LA", "La")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("L" if gray else "RGB")


def _reason(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.DecompressionBombError):
        return "more pixels than Pillow allows"
    text = " ".join(str(error).split())
    return f"damaged image: {text or type(error).__name__}"
