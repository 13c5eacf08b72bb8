"""Draws boxes and points into images."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from byol_tf.modalities.image.decode import decode_image
from byol_tf.modalities.image.modality import visible

# Colours of reports, distinct for colour-blind people.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7")
_CONFIDENT = 0.3  # below this confidence, a point is drawn as a ring


class Mark(NamedTuple):
    """How to draw one prediction.

    Attributes:
        place: left, top, right and bottom of a box, or x and y of a point.
        text: text beside it.
        kind: number of its class or point, which selects the colour.
        confidence: in [0, 1]; a point with low confidence is a ring.
    """

    place: tuple[float, ...]
    text: str = ""
    kind: int = 0
    confidence: float = 1.0


def whole_image(data: bytes | str | os.PathLike) -> np.ndarray:
    """Decodes a file for display, uint8 `[height, width, 3]`.

    Raises:
        ImageError: if it cannot be decoded.
    """
    return visible(decode_image(data))


def draw_marks(pixels: np.ndarray, marks: Sequence[Mark]) -> np.ndarray:
    """Draws marks over an image, the first ones on top.

    Args:
        pixels: uint8 `[height, width, 3]`; not changed.
        marks: marks, in pixels.

    Returns:
        A new image of the same size.
    """
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    unit = max(max(image.size) // 300, 1)
    font = ImageFont.load_default(max(9 * unit, 10))
    for mark in reversed(marks):
        colour = COLOURS[mark.kind % len(COLOURS)]
        if np.isfinite(mark.place).all():
            _draw(draw, mark, colour, unit)
            _write(draw, mark, colour, font, image.size)
    return np.asarray(image)


def _draw(draw, mark, colour, unit):
    if len(mark.place) == 4:
        draw.rectangle(mark.place, outline=colour, width=2 * unit)
        return
    x, y = mark.place
    radius = 2 * unit + 1
    ring = (x - radius, y - radius, x + radius, y + radius)
    fill = colour if mark.confidence >= _CONFIDENT else None
    draw.ellipse(ring, fill=fill, outline=colour, width=unit)


def _write(draw, mark, colour, font, size):
    """Writes above the place, or at the border if it would be outside."""
    if not mark.text:
        return
    left, top, right, bottom = draw.textbbox((0, 0), mark.text, font=font)
    x = min(max(mark.place[0], 0), max(size[0] - right, 0))
    y = max(mark.place[1] - bottom - 2, 0)
    box = (x + left - 1, y + top - 1, x + right + 1, y + bottom + 1)
    draw.rectangle(box, fill=colour)
    draw.text((x, y), mark.text, fill="black", font=font)
