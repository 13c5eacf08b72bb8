"""From the bytes of an image file to pixels, with Pillow alone."""

import io
import os
import stat

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

from byol_tf.data.rows import Unreadable

ORIENTATION = 0x0112  # tag of EXIF
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp"),
)
MAX_PIXELS = 100_000_000  # decoded to 300 MB of RGB
OVERSAMPLING = 2  # sides of a reduced JPEG, at least, by those it becomes
SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")
# What makes an image upright, by its orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


class ImageError(Unreadable):
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
        max_pixels: refuse a larger image by what its header says, before
            decoding it. Pillow itself refuses 178,956,971 and more.
        least_side: lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its size as
            long as both sides keep so many pixels; of a photo that is going
            to be resized anyhow, in a third of the time.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        ImageError: if it cannot be decoded, is too large or is no file.
        ValueError: if `channels` is not 1, 3 or None.
    """
    return _decoded(data, channels, max_pixels, least_side, np.array)


def upright_size(data: bytes | str | os.PathLike) -> tuple[int, int]:
    """Width and height of an image as `decode_image` gives it.

    Args:
        data: the bytes, or the path of a file.

    Raises:
        ImageError: if they cannot be read.
    """

    def size(image):
        lies = _orientation(image) in _SIDEWAYS
        return image.size[::-1] if lies else image.size

    return _opened(data, size)


def decode_square(
    data: bytes | str | os.PathLike,
    size: int,
    channels: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Decodes the centre square to uint8 `[size, size, channels]`.

    Arguments and errors are those of `decode_image`.
    """
    return _decoded(
        data,
        channels,
        max_pixels,
        OVERSAMPLING * size,
        lambda image: _centre_square(image, size),
    )


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
    if image.shape[:2] == (size, size):
        return image
    return _by_planes(image, lambda plane: _centre_square(plane, size))


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
    planes = [image] if image.shape[-1] == 3 else np.moveaxis(image, -1, 0)
    changed = [
        np.asarray(change(Image.fromarray(np.ascontiguousarray(plane))))
        for plane in planes
    ]
    return changed[0] if image.shape[-1] == 3 else np.stack(changed, axis=-1)


def _centre_square(image, size):
    """Of a Pillow image, as an array of so many pixels of a side."""
    width, height = image.size
    if (width, height) != (size, size):
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.BICUBIC, box)
    return np.array(image)


def _decoded(data, channels, max_pixels, least_side, finish):
    """The pixels that `finish` makes of the flat Pillow image."""
    check_channels(channels)
    mode = {1: "L", 3: "RGB"}.get(channels)

    def decode(image):
        width, height = image.size
        if not width * height:
            raise ImageError(f"{width}x{height} pixels are none")
        if width * height > max_pixels:
            raise ImageError(
                f"{width}x{height} pixels are more than the limit of "
                f"{max_pixels}"
            )
        if least_side is not None:
            image.draft(None, (least_side, least_side))
        return finish(_flatten(image, mode))

    pixels = _opened(data, decode)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _opened(data, use):
    """What a function makes of the image, or an `ImageError`."""
    try:
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        # Opening a pipe or a device could take for ever.
        elif not stat.S_ISREG(os.stat(data).st_mode):
            raise ImageError("not a file, but a folder, pipe or device")
        with Image.open(data, formats=FORMATS) as image:
            return use(image)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"not an image ({', '.join(FORMATS)})") from None
    # Pillow's decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise ImageError(_reason(error)) from error


def _orientation(image):
    """EXIF's, 1 to 8; 1, upright, where there is none or it is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
        return value if value in _TURNS else 1
    except Exception:  # as above; the pixels can be whole all the same
        return 1


def _flatten(image, mode):
    """An upright, opaque image of mode L or RGB, of the wanted one if any."""
    image.load()
    # Pillow takes every CMYK JPEG for inverted; only Adobe's are.
    inverted = image.mode == "CMYK" and "adobe" not in image.info
    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image).astype(np.uint32)
        # Rounded value * 255 / 65535.
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if inverted:
        image = ImageChops.invert(image)
    if image.has_transparency_data:
        image = _over_white(image)
    mode = mode or ("L" if image.mode in ("1", "L") else "RGB")
    return image if image.mode == mode else image.convert(mode)


def _over_white(image):
    gray = image.mode in ("1", "L", "LA", "La")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("L" if gray else "RGB")


def _reason(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return "more pixels than Pillow allows"
    text = " ".join(str(error).split())
    return f"damaged image: {text or type(error).__name__}"
