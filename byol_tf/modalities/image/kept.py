"""Stores photos of several sizes so that views are cut from them quickly."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from byol_tf.data.examples import Examples
from byol_tf.modalities.image.decode import OVERSAMPLING, look
from byol_tf.modalities.image.resize import Levels, resize_whole
from byol_tf.modalities.image.views import TwoViews

HEAD = 20  # bytes: height, width, channels; height and width of the original
QUALITY = 95  # JPEG quality of reduced files
JPEG = b"\xff\xd8"


@dataclasses.dataclass(frozen=True)
class Pixels:
    """Stores decoded pixels, and for uint8 also halves, quarters and so on.

    Attributes:
        decode: decoder of the files.
        dtype: dtype of the pixels.
        side: larger images are reduced to this shorter side, in pixels.
        view: side of a view in pixels; no reduction is smaller.
    """

    decode: Callable
    dtype: str
    side: int
    view: int
    of_files = False

    @property
    def key(self):
        return "pixels", self.side, self.view, repr(self.decode)

    @property
    def about(self):
        return f"shorter sides of {self.side} pixels at most"

    def encode(self, item) -> bytes:
        image, size = _reduced(self.decode, item, self.side)
        parts = [np.array([*image.shape, *size], "<u4")]
        for size in self._sizes(image.shape):
            image = resize_whole(image, size)
            parts.append(image)
        return b"".join(part.tobytes() for part in parts)

    def size(self, item) -> int:
        header = look(item)
        channels = self.decode.shape[-1]
        shape = limited((header.height, header.width), self.side)
        pixel_bytes = channels * np.dtype(self.dtype).itemsize
        return pixel_bytes * sum(h * w for h, w in self._sizes(shape))

    def __call__(self, data):
        return self._levels(data)[0]

    def to_be_cut(self, data, cuts):
        levels = self._levels(data)
        return levels if self.dtype == "uint8" else levels[0]

    def _levels(self, data):
        *shape, channels, height, width = np.frombuffer(data, "<u4", 5).tolist()
        start, levels = HEAD, []
        for size in self._sizes(shape):
            count = size[0] * size[1] * channels
            pixels = np.frombuffer(data, self.dtype, count, start)
            levels.append(pixels.reshape(*size, channels))
            start += pixels.nbytes
        return Levels(levels, (height, width))

    def _sizes(self, shape):
        """Returns heights and widths of an image and its reductions."""
        sizes = [tuple(shape[:2])]
        while self.dtype == "uint8" and min(sizes[-1]) >= 2 * self.view:
            sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
        return sizes


@dataclasses.dataclass(frozen=True)
class Shards:
    """Stores files one after another; large ones of uint8 are reduced.

    Attributes:
        decode: decoder of the files.
        dtype: dtype of the pixels.
        side: files with a longer shorter side, in pixels, are reduced to it.
    """

    decode: Callable
    dtype: str
    side: int
    of_files = True

    @property
    def key(self):
        return "shards", self.side, QUALITY, repr(self.decode)

    @property
    def about(self):
        return (
            f"files with shorter sides of more than {self.side} pixels made "
            f"smaller, JPEG files in quality {QUALITY}"
        )

    def encode(self, item) -> bytes:
        data = item
        if isinstance(item, os.PathLike):
            look(item)  # raises unless it is a file and an image
            data = pathlib.Path(item).read_bytes()
        header, is_photo = look(data), self.decode.shape[-1] in (1, 3)
        is_small = min(header.height, header.width) <= self.side
        if is_small or not is_photo or self.dtype != "uint8":
            return data
        pixels, _ = _reduced(self.decode, data, self.side)
        return _file(pixels, data[:2] == JPEG)

    def size(self, item) -> int:
        return os.stat(item).st_size if hasattr(item, "stat") else len(item)

    def __call__(self, data):
        return self.decode(data)

    def to_be_cut(self, data, cuts):
        return self.decode.to_be_cut(data, cuts)


def codec(
    store: str, examples: Examples, views: TwoViews, side: int = 0
) -> Pixels | Shards:
    """Makes the format in which photos are stored.

    Args:
        store: "pixels" or "shards".
        examples: encoded examples.
        views: views that are cut from them.
        side: shorter side of reduced images in pixels; 0: chosen so that the
            smallest crop is as large as its view.
    """
    pair = views.view1, views.view2
    side = side or max(view.kept_side() for view in pair)
    (spec,) = examples.spec.values()
    options = examples.decode, spec.dtype.name, side
    if store == "shards":
        return Shards(*options)
    return Pixels(*options, view=max(max(view.size) for view in pair))


def limited(shape, side: int) -> tuple[int, int]:
    """Returns height and width, reduced to a shorter side of at most `side`."""
    scale = min(1.0, side / min(shape[:2]))
    height, width = (max(1, round(scale * length)) for length in shape[:2])
    return height, width


def reduced(decode: Callable, item, side: int) -> np.ndarray:
    """Decodes an image, reduced to a shorter side of at most `side` pixels."""
    return _reduced(decode, item, side)[0]


def _reduced(decode, item, side):
    """Returns an image, reduced, and the height and width in its file."""
    original_sizes = []

    def least_side(*size):  # only for JPEG files
        original_sizes.append(size)
        return OVERSAMPLING * side

    image = decode(item, least_side)
    size = original_sizes[0] if original_sizes else image.shape[:2]
    return resize_whole(image, limited(image.shape, side)), size


def _file(pixels, lossy):
    """Encodes an image, lossless if its file may have been."""
    file = io.BytesIO()
    array = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(array))
    image.save(file, "JPEG" if lossy else "PNG", quality=QUALITY)
    return file.getvalue()
