"""Checks boxes: bad ones are left out, but not their images."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from byol_tf.data.annotations.listed import Annotations, Box
from byol_tf.lines import printable, some

LEAST = 1.0  # smallest side of a box in pixels
BEYOND = 0.1  # share of a box outside its image that is more than rounding
SUSPECT = 0.5  # share of bad boxes that indicates another format
TURNED = "lie in images that EXIF rotates but their labels do not"
EMPTY = "are smaller than a pixel or turned inside out"
OUTSIDE = "lie outside of their images"
UNKNOWN = "are of a class that the training labels do not name"
NOT_FINITE = "are not four numbers"
TWICE = "occur twice"


@dataclasses.dataclass(frozen=True)
class Boxes:
    """Checked objects of some images, in the order of the images.

    Attributes:
        names: names of the classes.
        ids: the classes' ids in the file: COCO's `category_id`; or ().
        sizes: width and height of the upright images, int `[n, 2]`.
        known: bool `[n]`: False if the boxes of an image cannot be used.
        images: int `[k]`: index of the image of each box.
        corners: float64 `[k, 4]`: left, top, right, bottom in pixels.
        labels: int `[k]`: class of each box.
        crowd: bool `[k]`: regions of many objects, ignored in training and
            evaluation.
        areas: float64 `[k]`, pixels.
        lines: findings, for the user.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]
    sizes: np.ndarray
    known: np.ndarray
    images: np.ndarray
    corners: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray
    lines: tuple[str, ...] = ()


def check_boxes(
    annotations: Annotations,
    paths: Sequence[str],
    size_of: Callable[[pathlib.Path], tuple[int, int]],
    names: Sequence[str] = (),
) -> Boxes:
    """Leaves out invalid boxes, clips boxes at the border, and counts.

    Classes of the same name become one.

    Args:
        annotations: contents of the files.
        paths: paths of the listed images that can be read.
        size_of: returns width and height of an upright image file.
        names: classes of the training images; (): those of the file.

    Raises:
        ValueError: if most boxes are bad, which indicates another format, or
            there is none of the classes of the training images.
    """
    position = {path: i for i, path in enumerate(paths)}
    sizes = [size_of(annotations.root / path) for path in paths]
    sizes = np.array(sizes, np.int64).reshape(-1, 2)
    notes = (*annotations.notes, *_other_class_lines(annotations, names))
    names = tuple(names or dict.fromkeys(annotations.names))
    # The last of each name.
    ids = dict(zip(annotations.names, annotations.ids, strict=False))
    rows = [
        row._replace(image=position[annotations.paths[row.image]])
        for row in annotations.boxes
        if annotations.paths[row.image] in position
    ]
    pairs = zip(paths, sizes.tolist(), strict=True)
    stated_sizes = [annotations.sizes.get(path, size) for path, size in pairs]
    stated_sizes = np.array(stated_sizes, np.int64).reshape(-1, 2)
    differs = (stated_sizes != sizes).any(axis=1)
    turned = differs & (stated_sizes == sizes[:, ::-1]).all(axis=1)
    stated_sizes = np.where(turned[:, None], sizes, stated_sizes)
    table = _Table(rows, annotations, sizes, stated_sizes, names)
    damaged = {*annotations.damaged}
    unread = [path for path in paths if path in damaged]
    reasons = table.reasons(turned)
    _check_format(annotations.name, reasons, table.reach_beyond())
    usable = reasons == ""
    lines = (
        _count_line(annotations.name, names, len(sizes), table, usable),
        *notes,
        *_scaled_lines(differs & ~turned, paths),
        *_left_out_lines(reasons, table.images, paths),
        *_unread_lines(unread),
    )
    return Boxes(
        names,
        tuple(ids.values()),
        sizes,
        ~turned & ~np.isin(paths, unread),
        table.images[usable],
        table.clipped[usable],
        table.labels[usable],
        table.crowd[usable],
        table.areas[usable],
        tuple(lines),
    )


def _other_class_lines(annotations, names):
    """Describes how the classes of a file differ from those of training."""
    classes, training = set(annotations.names), set(names)
    if not training or not classes:
        return
    if not classes & training:
        raise ValueError(
            f"{annotations.name} has other classes than the training images: "
            f"{some(sorted(classes))} and not {some(sorted(training))}; give "
            "both the same names"
        )
    if classes != training:
        differences = {
            "also has": classes - training,
            "lacks": training - classes,
        }
        description = " and ".join(
            f"{verb} {some(sorted(names))}"
            for verb, names in differences.items()
            if names
        )
        yield (
            f"Classes: {annotations.name} {description}, unlike the training "
            "images; classes are matched by their names."
        )


class _Table:
    """Columns of the boxes, in pixels of the upright images."""

    def __init__(
        self, rows: Sequence[Box], annotations, sizes, stated_sizes, names
    ):
        self.images = np.array([r.image for r in rows], np.int64)
        labels_in_names = [
            names.index(n) if n in names else -1 for n in annotations.names
        ]
        labels = [
            labels_in_names[r.label] if r.label >= 0 else -1 for r in rows
        ]
        self.labels = np.array(labels, np.int64)
        self.crowd = np.array([r.crowd for r in rows], bool)
        corners = np.array([r.corners for r in rows], np.float64).reshape(-1, 4)
        size = np.tile(sizes[self.images], 2)
        unit = (
            1 if annotations.relative else np.tile(stated_sizes[self.images], 2)
        )
        scale = size / unit
        self.corners = corners * scale
        self.clipped = np.clip(self.corners, 0, size)
        area = np.prod(self.clipped[:, 2:] - self.clipped[:, :2], axis=1)
        file_areas = [np.nan if r.area is None else r.area for r in rows]
        file_areas = np.array(file_areas, np.float64) * np.prod(
            scale[:, :2], axis=1
        )
        self.areas = np.where(file_areas > 0, file_areas, area)

    def reasons(self, turned):
        """Returns why each box cannot be used; "" if it can."""
        sides, clipped_sides = (
            c[:, 2:] - c[:, :2] for c in (self.corners, self.clipped)
        )
        with np.errstate(invalid="ignore"):
            empty = (sides < LEAST).any(axis=1)
            outside = (clipped_sides < LEAST).any(axis=1)
        # The first reason that applies.
        return np.select(
            [
                turned[self.images],
                ~np.isfinite(self.corners).all(axis=1),
                self.labels < 0,
                empty,
                outside,
                self._repeated(),
            ],
            [TURNED, NOT_FINITE, UNKNOWN, EMPTY, OUTSIDE, TWICE],
            "",
        )

    def _repeated(self):
        keys = np.column_stack([self.images, self.labels, self.corners])
        _, first = np.unique(keys.round(2), axis=0, return_index=True)
        repeated = np.ones(len(keys), bool)
        repeated[first] = False
        return repeated

    def reach_beyond(self):
        """Returns the share of each box that is outside of its image."""
        areas, clipped_areas = (
            np.prod(np.maximum(c[:, 2:] - c[:, :2], 0), axis=1)
            for c in (self.corners, self.clipped)
        )
        return 1 - clipped_areas / np.maximum(areas, 1e-9)


def _check_format(name, reasons, beyond):
    bad = np.isin(reasons, (EMPTY, OUTSIDE, NOT_FINITE)) | (beyond > BEYOND)
    if len(bad) > 1 and bad.mean() > SUSPECT:
        raise ValueError(
            f"{bad.sum()} of {len(bad)} boxes of {name} reach beyond their "
            "images, are smaller than a pixel or are not four numbers, so they "
            "must be in another format than said: COCO has [x, y, width, "
            "height] in pixels, YOLO the centre and size in fractions, VOC "
            "corners in pixels"
        )


def _count_line(name, names, images, table, usable):
    counts = np.bincount(table.labels[usable], minlength=len(names))
    class_counts = ", ".join(
        f"{printable(n)} {c}" for n, c in zip(names, counts, strict=True)
    )
    with_boxes = len(np.unique(table.images[usable]))
    return (
        f"{name}: {images} images, {usable.sum()} boxes ({class_counts}); "
        f"{images - with_boxes} images without any."
    )


def _scaled_lines(differs, paths):
    rows = np.flatnonzero(differs)
    if len(rows):
        yield (
            f"{len(rows)} images have other sizes than their labels say; the "
            f"boxes are scaled. The first: {some([paths[i] for i in rows])}."
        )


def _left_out_lines(reasons, images, paths):
    for reason in (TURNED, NOT_FINITE, UNKNOWN, EMPTY, OUTSIDE, TWICE):
        boxes = np.flatnonzero(reasons == reason)
        if len(boxes):
            image_paths = dict.fromkeys(paths[i] for i in images[boxes])
            yield (
                f"Left out: {len(boxes)} boxes that {reason}, in "
                f"{some(list(image_paths))}."
            )


def _unread_lines(paths):
    if paths:
        yield (
            f"Left out: {len(paths)} images whose label files cannot be read: "
            f"{some(paths)}."
        )
