"""Grids of images: views, and nearest neighbours."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from byol_tf.evaluation.drawing import BLACK, GREEN, RED, Target, save_png


def views_grid(
    originals: np.ndarray,
    view1: np.ndarray,
    view2: np.ndarray,
    target: Target,
    *,
    columns: int = 12,
) -> None:
    """Shows images above their two views.

    Args:
        originals: `[n, height, width, channels]`, uint8 or float in [0, 1].
        view1: the first views, likewise, of any size.
        view2: the second views, likewise.
        target: path or binary file that receives a PNG.
        columns: images shown, at most.

    Raises:
        ValueError: no images, different numbers of them, or not images.
    """
    if not len(originals) == len(view1) == len(view2):
        raise ValueError(
            "`originals`, `view1` and `view2` must be of the same inputs. "
            f"Received: {len(originals)}, {len(view1)}, {len(view2)} of them"
        )
    rows = [_displayable(x[:columns]) for x in (originals, view1, view2)]
    count = len(rows[0])
    figure = Figure(figsize=(0.95 * count + 0.9, 3.1))
    grid = _tight_grid(figure, 3, count, left=0.9)
    for y, (images, name) in enumerate(
        zip(rows, ("original", "view 1", "view 2"), strict=True)
    ):
        for x, image in enumerate(images):
            axes = _show(figure, grid[y, x], image)
            if x == 0:
                axes.set_ylabel(
                    name, rotation=0, ha="right", va="center", labelpad=6
                )
    save_png(figure, target)


def neighbours_grid(
    queries: np.ndarray,
    neighbours: np.ndarray,
    target: Target,
    *,
    query_labels: np.ndarray | None = None,
    neighbour_labels: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
) -> None:
    """Shows images beside the images whose representations are nearest.

    With labels, a neighbour of the query's class has a green frame, one of
    another class a dashed red one.

    Args:
        queries: `[n, height, width, channels]`, uint8 or float in [0, 1].
        neighbours: `[n, k, height, width, channels]`, the nearest first.
        target: path or binary file that receives a PNG.
        query_labels: None, or int `[n]`, -1 where unknown.
        neighbour_labels: None, or int `[n, k]`, -1 where unknown.
        class_names: None for the numbers, or a name for each label.

    Raises:
        ValueError: no images, shapes that do not fit, or not images.
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
    named = bool((np.asarray(query_labels) >= 0).any())
    shown = np.asarray(neighbours).reshape(count * k, *neighbours.shape[2:])
    shown = _displayable(shown).reshape(count, k, *neighbours.shape[2:4], 3)
    height = 1.15 if named else 0.95
    figure = Figure(figsize=(0.95 * (k + 1.3), height * count + 0.35))
    # A narrow empty column parts the query from its neighbours.
    grid = _tight_grid(
        figure, count, k + 2, top=0.35, widths=[1, 0.2] + [1] * k, named=named
    )
    for y, query in enumerate(_displayable(queries)):
        axes = _show(figure, grid[y, 0], query)
        _caption(axes, query_labels[y], class_names, BLACK)
        if y == 0:
            axes.set_title("query", fontsize=9)
        for x in range(k):
            axes = _show(figure, grid[y, x + 2], shown[y, x])
            _judge(axes, query_labels[y], neighbour_labels[y, x], class_names)
            if y == 0 and x == 0:
                axes.set_title("nearest", fontsize=9)
    save_png(figure, target)


def _judge(axes, expected, label, class_names):
    if expected < 0 or label < 0:
        return _caption(axes, label, class_names, BLACK)
    right = expected == label
    colour = GREEN if right else RED
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=2.2)
        spine.set_linestyle("-" if right else (0, (2.5, 1.5)))
    return _caption(axes, label, class_names, colour)


def _caption(axes, label, class_names, colour):
    if label < 0:
        return
    name = str(label) if class_names is None else str(class_names[label])
    name = name if len(name) <= 12 else name[:11] + "…"
    axes.set_xlabel(name, fontsize=7.5, color=colour, labelpad=2)


def _displayable(images):
    """Float RGB `[n, height, width, 3]` in [0, 1].

    One channel is shown gray, of two the mean, of more the first three.
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


def _tight_grid(
    figure, rows, columns, *, left=0.1, top=0.1, widths=None, named=False
):
    """Cells with little room between them, margins in inches."""
    width, height = figure.get_size_inches()
    return figure.add_gridspec(
        rows,
        columns,
        left=left / width,
        right=1 - 0.1 / width,
        bottom=(0.25 if named else 0.1) / height,
        top=1 - top / height,
        wspace=0.08,
        hspace=0.3 if named else 0.08,
        width_ratios=widths,
    )


def _show(figure, cell, image):
    axes = figure.add_subplot(cell)
    small = max(image.shape[:2]) <= 64
    axes.imshow(image, interpolation="nearest" if small else "antialiased")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes
