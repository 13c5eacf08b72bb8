"""Decodes the bytes of an image file to pixels, in Python."""

import contextlib
import functools
import importlib
import io
import math
import os
import pathlib
import stat
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from PIL import Image, ImageChops, UnidentifiedImageError, features

from byol_tf.data.npy import MAGIC
from byol_tf.data.rows import Unreadable
from byol_tf.modalities.image.bands import (
    ORIENTATION,
    ImageError,
    ImageHeader,
    converted,
    read_npy,
    read_tiff,
    turned,
    with_channels,
)
from byol_tf.modalities.image.layer import SLACK, Window
from byol_tf.modalities.image.resize import (
    Levels,
    centre_square,
    letterbox,
    resize_and_centre_crop,
)

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
HEAD = 12  # bytes that tell formats apart
EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp"),
    *(".tif", ".tiff", ".npy", ".avif", ".heic", ".heif"),
)
MAX_PIXELS = 100_000_000  # decoded to 300 MB of RGB
OVERSAMPLING = 2  # a reduced JPEG is at least this many times as large
_T = Image.Transpose
TURNS = dict(  # by orientation, what makes an image upright
    enumerate(
        (
            *(_T.FLIP_LEFT_RIGHT, _T.ROTATE_180, _T.FLIP_TOP_BOTTOM),
            *(_T.TRANSPOSE, _T.ROTATE_270, _T.TRANSVERSE, _T.ROTATE_90),
        ),
        start=2,
    )
)
# By their name and the brands in their head, what Pillow needs to read them.
PLUG_INS = {
    "AVIF": ((b"avif", b"avis"), "pillow-avif-plugin, or Pillow 11.3"),
    "HEIF": (
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"),
        "pillow-heif",
    ),
}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last ones are BigTIFF
_BITS, _WHITE, _SAMPLES = 258, 262, 277  # tags of TIFF


def decode_image(
    data: bytes | str | os.PathLike,
    channels: int | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    least_side: int | Callable[[int, int], int] | None = None,
    dtype: str | None = None,
    window: Window | None = None,
) -> np.ndarray:
    """Decodes JPEG, PNG, GIF, BMP, WebP, TIFF or NumPy's `.npy`.

    AVIF and HEIC need a plug-in for Pillow, see `PLUG_INS`.

    The image is turned upright by EXIF (PNG: the chunk eXIf). Transparency is
    laid over white (GIF: black), palettes are looked up, CMYK becomes RGB,
    whether or not its values are inverted as Adobe writes them. Of several
    frames or pages the first is taken.

    Args:
        data: bytes or path of the file.
        channels: 1 (luma of ITU-R 601), 3 (gray is repeated), or another number
            that the file must have: its bands unchanged. None: 1 for gray
            files, 3 for colour files, and all bands of other TIFF or `.npy`
            files.
        max_pixels: larger images are refused by their header, before decoding.
            Pillow itself refuses 178,956,971 and more.
        least_side: lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its size as
            long as both sides keep this many pixels. A photo that is resized
            afterwards takes a third of the time. Or a function that returns it
            for the upright height and width.
        dtype: "uint8", "uint16" or "float32", see `bands.converted`; None: the
            one that holds the file's values.
        window: black and white of that dtype, see `bands.converted`.

    Returns:
        `[height, width, channels]`.

    Raises:
        ImageError: if it cannot be decoded, is too large or is no file.
        ValueError: if `channels` is not 1 or more, or None.
    """
    depth = dtype, window
    return _decoded(data, channels, max_pixels, least_side, depth)


def decode_to_cut(
    data: bytes | str | os.PathLike,
    channels: int | None,
    max_pixels: int,
    least_side: int | Callable[[int, int], int] | None,
    dtype: str,
    window: Window | None = None,
) -> np.ndarray | Levels:
    """Does what `decode_image` does, for an image that is only cut from.

    Returns:
        Pillow's own image, without a copy, if it has the same pixels as the
        array; else the array.
    """
    shrink, depth = _uncopied if dtype == "uint8" else None, (dtype, window)
    return _decoded(data, channels, max_pixels, least_side, depth, shrink)


def _uncopied(image, shape):
    return Levels([image], shape or image.size[::-1])


def _decoded(data, channels, max_pixels, least_side, depth, shrink=None):
    """Returns pixels as `decode_image` does.

    Args:
        depth: dtype and window.
        shrink: changes a Pillow image before it is copied to an array, if that
            gives the same pixels as afterwards; `Levels` are not copied. It
            takes the upright image, and height and width before a reduction, or
            None.
    """
    check_channels(channels)

    def check(header):
        height, width = header[:2]
        if not width * height:
            raise ImageError(f"it has no pixels ({width}x{height})")
        if width * height > max_pixels:
            raise ImageError(
                f"{width}x{height} pixels are more than the limit of "
                f"{max_pixels}"
            )
        return True

    def use(image):
        check(image.size[::-1])
        shape = None
        if least_side is not None and image.format in ("JPEG", "MPO"):
            sideways = _orientation(image) >= 5
            shape = image.size if sideways else image.size[::-1]
            least = least_side(*shape) if callable(least_side) else least_side
            image.draft(None, (least, least))
        shrink_image = shrink and functools.partial(shrink, shape=shape)
        return _pixels(image, data, channels, shrink_image)

    _, pixels = _opened(data, use, check, channels)
    if isinstance(pixels, Levels):
        return pixels
    try:
        pixels = with_channels(pixels, channels)
    except ValueError as error:
        raise ImageError(f"it has {error}") from error
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise ImageError("some pixels are NaN or infinite")
    if pixels.dtype == np.float32 and depth == ("float32", None):
        low, high = pixels.min(), pixels.max()
        if low < -SLACK or high > 1.0 + SLACK:
            raise ImageError(
                f"floats of {low:g} to {high:g} and not in [0, 1]; say what is "
                "black and white by --config.data.window=LOW,HIGH"
            )
    return np.ascontiguousarray(converted(pixels, *depth))


def upright_size(data: bytes | str | os.PathLike) -> tuple[int, int]:
    """Returns width and height of an image as `decode_image` decodes it.

    Raises:
        ImageError: if they cannot be read.
    """
    header = look(data)
    return header.width, header.height


def look(data: bytes | str | os.PathLike) -> ImageHeader:
    """Reads the head of an image file; `bands` is 3 for all colour images.

    Raises:
        ImageError: if it cannot be read.
    """

    def use(image):
        conditions = image.mode in ("I", "F"), _is_deep(image), True
        dtype = ("float32", "uint16", "uint8")[conditions.index(True)]
        gray = image.mode[0] in "1LIF" and image.mode != "LAB"
        sideways = _orientation(image) >= 5
        size = image.size if sideways else image.size[::-1]
        return ImageHeader(*size, 1 if gray else 3, dtype), None

    return _opened(data, use, lambda header: False)[0]


def decode_square(
    data: bytes | str | os.PathLike,
    size: int,
    channels: int | None = None,
    max_pixels: int = MAX_PIXELS,
    dtype: str = "uint8",
    whole: bool = False,
    window: Window | None = None,
) -> np.ndarray:
    """Decodes the centre square to `[size, size, channels]`.

    Other arguments and errors are those of `decode_image`.

    Args:
        size: side in pixels.
        whole: letterbox the whole image instead, see `letterbox`.
    """

    def shorter_side(height, width):
        longer = OVERSAMPLING * size
        return math.ceil(longer * min(height, width) / max(height, width))

    least_side = shorter_side if whole else OVERSAMPLING * size

    def shrink(image, shape):
        return centre_square(image, size)

    image = _decoded(
        *(data, channels, max_pixels, least_side, (dtype, window)),
        shrink=shrink if dtype == "uint8" and not whole else None,
    )
    return resize_and_centre_crop(letterbox(image) if whole else image, size)


def check_channels(channels: int | None) -> None:
    """Raises a ValueError unless `channels` is 1 or more, or None."""
    if channels is not None and channels < 1:
        raise ValueError(
            "`channels` must be 1 or more, or None. "
            f"Received: channels={channels}"
        )


def _opened(data, use, check, channels=None):
    """Returns `ImageHeader` and pixels, or raises an `ImageError`.

    Args:
        data: bytes or path of the file.
        use: returns both for a Pillow image.
        check: see `read_npy`, for files that Pillow cannot read.
        channels: required number.
    """
    try:
        with _file(data) as file:
            head = file.read(HEAD)
            file.seek(0)
            if head.startswith(MAGIC):
                return read_npy(file, check)
            if head[:4] in _TIFF and _has_bands(file, channels):
                file.seek(0)
                return read_tiff(file, check)
            with Image.open(file, formats=_formats()) as image:
                return use(image)
    except ImageError:
        raise
    except Unreadable as error:
        raise ImageError(str(error)) from error
    except UnidentifiedImageError:
        raise ImageError(_unidentified(head)) from None
    # Decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise ImageError(_reason(error)) from error


@functools.cache
def _formats():
    """Returns the formats that Pillow reads with the installed plug-ins."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_avif")  # which registers itself
    if features.check("avif"):
        importlib.import_module("PIL.AvifImagePlugin")
    return [*FORMATS, *(name for name in PLUG_INS if name in Image.OPEN)]


def _unidentified(head):
    """Returns why Pillow cannot read a file with such a head."""
    for name, (brands, package) in PLUG_INS.items():
        if head[4:8] == b"ftyp" and head[8:12] in brands:
            return f"{name} files need the package {package}"
    return f"not an image ({', '.join(FORMATS)})"


def _file(data):
    if isinstance(data, bytes):
        return io.BytesIO(data)
    # Opening a pipe or a device could block for ever.
    if not stat.S_ISREG(os.stat(data).st_mode):
        raise ImageError("not a file, but a folder, pipe or device")
    return open(data, "rb")


def _has_bands(file, channels):
    """Returns whether Pillow misses bands of a TIFF, or some of their bits."""
    try:
        with Image.open(file, formats=["TIFF"]) as image:
            bits = max(image.tag_v2.get(_BITS, (1,)))
            samples = image.tag_v2.get(_SAMPLES, 1)
    except UnidentifiedImageError:
        return True
    return samples > 1 and (bits > 8 or channels not in (None, 1, 3))


def _is_deep(image):
    """Returns whether it has 16 bits per channel; known until it is loaded."""
    raw = str(image.tile[0].args) if image.tile else ""
    is_deep = image.format == "PNG" and "16B" in raw
    return is_deep or image.mode.startswith("I;16")


def _pixels(image, data, channels, shrink):
    """Returns None, and upright, opaque pixels `[height, width, channels]`."""
    is_deep, is_gif = _is_deep(image), image.format == "GIF"
    frame_box = image.tile[0].extents if is_gif and image.tile else None
    image.load()
    orientation = _orientation(image)
    if is_deep and image.format == "PNG":
        pixels = _sixteen_bits(data)
    elif is_deep or image.mode in ("I", "F"):
        pixels = np.asarray(image).astype(np.uint16 if is_deep else np.float32)
        if (
            is_deep
            and image.format == "TIFF"
            and not image.tag_v2.get(_WHITE, 1)
        ):
            pixels = 65535 - pixels  # white is 0: Pillow inverts only 8 bits
    elif channels in (None, 1, 3):
        opaque = _opaque(image, "black" if is_gif else "white", channels)
        if shrink is not None and not is_gif:
            if orientation > 1:
                opaque = opaque.transpose(TURNS[orientation])
            opaque, orientation = shrink(opaque), 1
            if isinstance(opaque, Levels):
                return None, opaque
        pixels = np.array(opaque)
    else:
        pixels = np.array(image)
    if frame_box and frame_box != (0, 0, *image.size):
        left, top, right, bottom = frame_box
        canvas = np.zeros_like(pixels)
        frame = slice(top, bottom), slice(left, right)
        canvas[frame] = pixels[frame]
        pixels = canvas
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    return None, turned(pixels, orientation)


def _sixteen_bits(data):
    """Returns a 16-bit PNG's pixels over white; Pillow cuts them to 8 bits."""
    if not isinstance(data, bytes):
        data = pathlib.Path(data).read_bytes()
    pixels = tf.io.decode_png(data, 4, tf.uint16).numpy()
    is_gray = data[25] in (0, 4)
    colours, alpha = pixels[..., : 1 if is_gray else 3], pixels[..., 3:]
    if (alpha == 65535).all():
        return colours
    share = alpha / np.float32(65535)
    mixed = 65535 + share * (colours.astype(np.float32) - 65535)
    return np.round(mixed).astype(np.uint16)


def _orientation(image):
    """Returns EXIF's orientation, 1 to 8; 1, upright, if missing or damaged.

    XMP, and EXIF in the texts of a PNG, do not count, since graphs cannot read
    them.
    """
    try:
        if image.format in ("PNG", "TIFF"):
            # The chunk may follow the pixels; Pillow turns a TIFF itself.
            image.load()
        exif = Image.Exif()
        exif.load(image.info.get("exif") or b"")
        value = exif.get(ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    except Exception:  # as above; the pixels can be whole all the same
        return 1


def _opaque(image, background, channels):
    """Returns an opaque Pillow image of mode L or RGB, as wanted if given."""
    if image.mode == "LAB":
        raise ImageError("colours of mode LAB cannot be read; save it as RGB")
    # Pillow assumes that every CMYK JPEG is inverted; only Adobe's are.
    jpeg = image.format in ("JPEG", "MPO")
    if jpeg and image.mode == "CMYK" and "adobe" not in image.info:
        image = ImageChops.invert(image)
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        backdrop = Image.new("RGBA", image.size, background)
        image = Image.alpha_composite(backdrop, image)
        image = image.convert("L" if gray else "RGB")
    mode = {1: "L", 3: "RGB"}.get(channels) or ("L" if gray else "RGB")
    return image if image.mode == mode else image.convert(mode)


def _reason(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return "more pixels than Pillow allows"
    text = " ".join(str(error).split())
    return f"damaged image: {text or type(error).__name__}"
