"""Figures of image grids: views, and nearest neighbours."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from byol_tf.reports.drawing import BLACK, GREEN, RED, Target, save_png

# Inches: side of an image, distance of two images, margin.
_SIDE, _PITCH, _MARGIN = 0.88, 0.95, 0.1


def views_grid(
    originals: np.ndarray,
    view1: np.ndarray,
    view2: np.ndarray,
    target: Target,
    *,
    columns: int = 12,
) -> None:
    """Draws images above their two views.

    Args:
        originals: `[n, height, width, channels]`, uint8 or float in [0, 1].
        view1: n first views, of any size.
        view2: n second views.
        target: path or binary file to write a PNG to.
        columns: largest number of images shown.

    Raises:
        ValueError: if there are no images, their numbers differ, or an array is
            not of images.
    """
    if not len(originals) == len(view1) == len(view2):
        raise ValueError(
            "`originals`, `view1` and `view2` must be of the same inputs. "
            f"Received: {len(originals)}, {len(view1)}, {len(view2)} of them"
        )
    rows = [displayable(x[:columns]) for x in (originals, view1, view2)]
    page = _Page(_MARGIN + len(rows[0]) * _PITCH, 3 * _PITCH, left=0.8)
    for y, (images, name) in enumerate(
        zip(rows, ("original", "view 1", "view 2"), strict=True)
    ):
        page.write(name, -0.08, y * _PITCH + _SIDE / 2, ha="right", va="center")
        for x, image in enumerate(images):
            page.show(image, x * _PITCH, y * _PITCH)
    page.save(target)


def neighbours_grid(
    queries: np.ndarray,
    neighbours: np.ndarray,
    target: Target,
    *,
    query_labels: np.ndarray | None = None,
    neighbour_labels: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
) -> None:
    """Draws images beside their nearest neighbours.

    With labels, neighbours of the same class have a green frame, others a
    dashed red one.

    Args:
        queries: `[n, height, width, channels]`, uint8 or float in [0, 1].
        neighbours: `[n, k, height, width, channels]`, nearest first.
        target: path or binary file to write a PNG to.
        query_labels: int `[n]`, -1 if unknown.
        neighbour_labels: int `[n, k]`, -1 if unknown.
        class_names: a name per label; None: show numbers.

    Raises:
        ValueError: if there are no images, or shapes or values are invalid.
    """
    if np.ndim(neighbours) != 5 or len(neighbours) != len(queries):
        raise ValueError(
            "`neighbours` must be [n, k, height, width, channels], k images "
            f"for each of {len(queries)} queries. "
            f"Received: neighbours.shape={np.shape(neighbours)}"
        )
    count, k = neighbours.shape[:2]
    if query_labels is None or neighbour_labels is None:
        query_labels = np.full(count, -1)
        neighbour_labels = np.full((count, k), -1)
    has_labels = bool((np.asarray(query_labels) >= 0).any())
    nearest = np.asarray(neighbours).reshape(count * k, *neighbours.shape[2:])
    nearest = displayable(nearest).reshape(count, k, *neighbours.shape[2:4], 3)
    row_height = _PITCH + (0.2 if has_labels else 0.0)
    # A narrow gap separates the query from its neighbours.
    columns = [0.0, *(1.2 * _PITCH + x * _PITCH for x in range(k))]
    page = _Page((k + 1.2) * _PITCH, count * row_height, top=0.3)
    for x, name in zip(columns, ("query", "nearest"), strict=False):
        page.write(name, x + _SIDE / 2, -0.06, va="bottom", fontsize=9)
    for y, query in enumerate(displayable(queries)):
        images = (query, *nearest[y])
        labels = (query_labels[y], *neighbour_labels[y])
        for x, image, label in zip(columns, images, labels, strict=True):
            corner = (x, y * row_height)
            page.show(image, *corner)
            colour = _frame(page, corner, labels[0], label) if x else BLACK
            _caption(page, corner, label, class_names, colour)
    page.save(target)


def _frame(page, corner, expected, label):
    """Frames a neighbour if classes are known; returns its colour."""
    if expected < 0 or label < 0:
        return BLACK
    is_same_class = expected == label
    colour = GREEN if is_same_class else RED
    page.frame(*corner, colour, dashed=not is_same_class)
    return colour


def _caption(page, corner, label, class_names, colour):
    if label < 0:
        return
    name = str(label) if class_names is None else str(class_names[label])
    name = name if len(name) <= 12 else name[:11] + "…"
    x, y = corner[0] + _SIDE / 2, corner[1] + _SIDE + 0.05
    page.write(name, x, y, fontsize=7.5, color=colour)


def on_canvas(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks pictures, centred on a white canvas if their sizes differ.

    Args:
        pictures: uint8 `[height, width, 3]` each.
    """
    sides = np.array([picture.shape[:2] for picture in pictures])
    height, width = sides.max(axis=0)
    canvas = np.full((len(pictures), height, width, 3), 255, np.uint8)
    for cell, picture in zip(canvas, pictures, strict=True):
        rows, columns = picture.shape[:2]
        top, left = (height - rows) // 2, (width - columns) // 2
        cell[top : top + rows, left : left + columns] = picture
    return canvas


def displayable(images: np.ndarray) -> np.ndarray:
    """Converts images to float RGB `[n, height, width, 3]` in [0, 1].

    One channel is shown gray; of two channels the mean; of more the first
    three.

    Raises:
        ValueError: if there are no images, or of another shape or type.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size:
        raise ValueError(
            "Images must be [n, height, width, channels], at least one. "
            f"Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        images = images / 255
    elif not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            "Images must be uint8 or float in [0, 1]. "
            f"Received: dtype {images.dtype}"
        )
    if images.shape[-1] < 3:
        images = np.repeat(images.mean(axis=-1, keepdims=True), 3, axis=-1)
    images = np.nan_to_num(images[..., :3].astype(np.float32))
    return np.clip(images, 0, 1)


class _Page:
    """Square cells on one pair of axes, in inches from the first one's corner.

    Separate axes per image would take most of the time.
    """

    def __init__(self, width, height, left=_MARGIN, top=_MARGIN):
        width, height = left + width, top + height
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(-left, width - left), ylim=(height - top, -top))
        self.axes.axis("off")

    def show(self, image, x, y):
        """Shows an image in the middle of a cell."""
        sides = np.array(image.shape[1::-1])
        width, height = _SIDE * sides / sides.max()
        x, y = x + (_SIDE - width) / 2, y + (_SIDE - height) / 2
        self.axes.imshow(
            image,
            extent=(x, x + width, y + height, y),
            aspect="auto",
            interpolation="nearest" if sides.max() <= 64 else "antialiased",
        )

    def frame(self, x, y, colour, dashed):
        """Draws the border of a cell."""
        line = (0, (2.5, 1.5)) if dashed else "-"
        style = {"edgecolor": colour, "linewidth": 2.2, "linestyle": line}
        border = Rectangle((x, y), _SIDE, _SIDE, fill=False, **style)
        self.axes.add_patch(border)

    def write(self, text, x, y, **style):
        """Writes text, by default centred below a place."""
        style = {"ha": "center", "va": "top", "fontsize": 10, **style}
        self.axes.text(x, y, text, **style)

    def save(self, target):
        """Writes the PNG."""
        save_png(self.figure, target)
