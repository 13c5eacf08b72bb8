"""Contact sheets: rows of images with captions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from byol_tf.reports.drawing import BLACK, BLUE, GRAY, Target, save_png

SIDE = 160  # sufficient side in pixels of a picture on a sheet


class Picture(NamedTuple):
    """A picture on a sheet.

    Attributes:
        pixels: uint8 `[height, width, 3]`, or None if it cannot be read.
        name: caption below, shortened to fit.
        note: caption below, in bold.
    """

    pixels: np.ndarray | None
    name: str
    note: str


def contact_sheet(
    rows: Sequence[Sequence[Picture]],
    target: Target,
    *,
    title: str,
    headings: Sequence[str],
) -> None:
    """Draws rows of images; the first of each row is set apart.

    Args:
        rows: rows of images; the longest decides the width.
        target: path or binary file to write a PNG to.
        title: title of the sheet.
        headings: heading above the first image of each row.

    Raises:
        ValueError: if there are no images.
    """
    if not rows or not all(rows):
        raise ValueError(
            "`rows` must hold at least one image each. "
            f"Received: {list(map(len, rows))} images"
        )
    columns = max(map(len, rows))
    width, height = 1.15 * columns + 0.3, 1.6 * len(rows) + 0.55
    width = max(width, 0.093 * len(title) + 0.3)
    figure = Figure(figsize=(width, height))
    figure.text(
        *(0.1 / width, 1 - 0.12 / height, title),
        va="top",
        fontsize=11,
        fontweight="bold",
        color=BLACK,
    )
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            left = 0.1 + 1.15 * x + (0.1 if x else 0)
            bottom = height - 0.55 - 1.6 * y - 1.05
            box = (left / width, bottom / height, 1.05 / width, 1.05 / height)
            axes = figure.add_axes(box)
            _draw(axes, picture)
            if x == 0:
                _mark(axes, headings[y])
    save_png(figure, target)


def _draw(axes, picture):
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.spines[:].set_color("#d0d0d0")
    if picture.pixels is None:
        _text(axes, 0.6, "cannot\nbe read", 8, GRAY)
    else:
        is_small = len(picture.pixels) <= 64
        axes.imshow(
            picture.pixels,
            extent=(0, 1, 0, 1),
            interpolation="nearest" if is_small else "antialiased",
        )
    _text(axes, -0.05, picture.note, 8.5, BLACK, fontweight="bold")
    _text(axes, -0.2, shorten(picture.name, 17), 7, GRAY)


def _text(axes, y, text, size, colour, **options):
    options |= {"ha": "center", "va": "top", "parse_math": False}
    axes.text(0.5, y, text, fontsize=size, color=colour, **options)


def _mark(axes, heading):
    axes.spines[:].set(color=BLUE, linewidth=2)
    axes.set_title(heading, fontsize=8.5, color=BLUE, pad=3, loc="left")


def shorten(path: str, length: int) -> str:
    """Returns the end of a path, with dots for the omitted part."""
    return path if len(path) <= length else "…" + path[1 - length :]
