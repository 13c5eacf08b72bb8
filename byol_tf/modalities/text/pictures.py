"""Draws texts as pictures, for reports, neighbours and maps."""

import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 128  # side of a picture in pixels
_LETTER = 9  # height in pixels
_MARGIN = 2


def written(text: str, side: int = SIDE) -> np.ndarray:
    """Draws the beginning of a text, uint8 `[side, side, 3]`."""
    picture = Image.new("RGB", (side, side), "white")
    font = ImageFont.load_default(_LETTER)
    line = max((side - 2 * _MARGIN) // (_LETTER // 2), 1)
    lines = textwrap.wrap(text, line)[: max(side // (_LETTER + 1), 1)]
    ImageDraw.Draw(picture).multiline_text(
        (_MARGIN, 0), "\n".join(lines), "black", font, spacing=0
    )
    return np.asarray(picture)


def stripes(view: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Draws a prepared text, uint8 `[side, side, 3]`: stripes are not 0.

    Args:
        view: TF-IDF vector `[ids]`, or ids `[words, 18]`.
        side: side of the picture in pixels.
    """
    flat = np.abs(np.ravel(view))
    rows = int(np.ceil(np.sqrt(len(flat))))
    padded = np.pad(flat, (0, rows * rows - len(flat))).reshape(rows, rows)
    shade = 255 - 200 * (padded > 0).astype(np.uint8)
    picture = Image.fromarray(shade).resize((side, side), Image.Resampling.BOX)
    return np.repeat(np.asarray(picture)[..., None], 3, axis=2)
