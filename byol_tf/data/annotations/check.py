"""Checks boxes: bad ones are left out, but not their images."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from byol_tf.data.annotations.listed import Box, Listed
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
    listed: Listed,
    paths: Sequence[str],
    size_of: Callable[[pathlib.Path], tuple[int, int]],
    names: Sequence[str] = (),
) -> Boxes:
    """Leaves out invalid boxes, clips boxes at the border, and counts.

    Classes of the same name become one.

    Args:
        listed: contents of the files.
        paths: paths of the listed images that can be read.
        size_of: returns width and height of an upright image file.
        names: classes of the training images; (): those of the file.

    Raises:
        ValueError: if most boxes are bad, which indicates another format, or
            there is none of the classes of the training images.
    """
    place = {path: i for i, path in enumerate(paths)}
    sizes = [size_of(listed.root / path) for path in paths]
    sizes = np.array(sizes, np.int64).reshape(-1, 2)
    notes = (*listed.notes, *_other_classes(listed, names))
    names = tuple(names or dict.fromkeys(listed.names))
    ids = dict(zip(listed.names, listed.ids, strict=False))  # the last of each
    rows = [
        row._replace(image=place[listed.paths[row.image]])
        for row in listed.boxes
        if listed.paths[row.image] in place
    ]
    pairs = zip(paths, sizes.tolist(), strict=True)
    said = [listed.sizes.get(path, size) for path, size in pairs]
    said = np.array(said, np.int64).reshape(-1, 2)
    differs = (said != sizes).any(axis=1)
    turned = differs & (said == sizes[:, ::-1]).all(axis=1)
    said = np.where(turned[:, None], sizes, said)
    table = _Table(rows, listed, sizes, said, names)
    damaged = {*listed.damaged}
    lost = [path for path in paths if path in damaged]
    reasons = table.reasons(turned)
    _check_format(listed.name, reasons, table.reach_beyond())
    good = reasons == ""
    lines = (
        _counts(listed.name, names, len(sizes), table, good),
        *notes,
        *_scaled(differs & ~turned, paths),
        *_left_out(reasons, table.images, paths),
        *_unread(lost),
    )
    return Boxes(
        names,
        tuple(ids.values()),
        sizes,
        ~turned & ~np.isin(paths, lost),
        table.images[good],
        table.cut[good],
        table.labels[good],
        table.crowd[good],
        table.areas[good],
        tuple(lines),
    )


def _other_classes(listed, names):
    """Describes how the classes of a file differ from those of training."""
    own, known = set(listed.names), set(names)
    if not known or not own:
        return
    if not own & known:
        raise ValueError(
            f"{listed.name} has other classes than the training images: "
            f"{some(sorted(own))} and not {some(sorted(known))}; give both the "
            "same names"
        )
    if own != known:
        parts = {"also has": own - known, "lacks": known - own}
        said = " and ".join(
            f"{verb} {some(sorted(names))}"
            for verb, names in parts.items()
            if names
        )
        yield (
            f"Classes: {listed.name} {said}, unlike the training images; "
            "classes are matched by their names."
        )


class _Table:
    """Columns of the boxes, in pixels of the upright images."""

    def __init__(self, rows: Sequence[Box], listed, sizes, said, names):
        self.images = np.array([r.image for r in rows], np.int64)
        own = [names.index(n) if n in names else -1 for n in listed.names]
        labels = [own[r.label] if r.label >= 0 else -1 for r in rows]
        self.labels = np.array(labels, np.int64)
        self.crowd = np.array([r.crowd for r in rows], bool)
        corners = np.array([r.corners for r in rows], np.float64).reshape(-1, 4)
        size = np.tile(sizes[self.images], 2)
        unit = 1 if listed.relative else np.tile(said[self.images], 2)
        scale = size / unit
        self.corners = corners * scale
        self.cut = np.clip(self.corners, 0, size)
        area = np.prod(self.cut[:, 2:] - self.cut[:, :2], axis=1)
        given = [np.nan if r.area is None else r.area for r in rows]
        given = np.array(given, np.float64) * np.prod(scale[:, :2], axis=1)
        self.areas = np.where(given > 0, given, area)

    def reasons(self, turned):
        """Returns why each box cannot be used; "" if it can."""
        whole, left = (c[:, 2:] - c[:, :2] for c in (self.corners, self.cut))
        with np.errstate(invalid="ignore"):
            empty = (whole < LEAST).any(axis=1)
            outside = (left < LEAST).any(axis=1)
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
        whole, left = (
            np.prod(np.maximum(c[:, 2:] - c[:, :2], 0), axis=1)
            for c in (self.corners, self.cut)
        )
        return 1 - left / np.maximum(whole, 1e-9)


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


def _counts(name, names, images, table, good):
    counts = np.bincount(table.labels[good], minlength=len(names))
    listed = ", ".join(
        f"{printable(n)} {c}" for n, c in zip(names, counts, strict=True)
    )
    filled = len(np.unique(table.images[good]))
    return (
        f"{name}: {images} images, {good.sum()} boxes ({listed}); "
        f"{images - filled} images without any."
    )


def _scaled(differs, paths):
    other = np.flatnonzero(differs)
    if len(other):
        yield (
            f"{len(other)} images have other sizes than their labels say; the "
            f"boxes are scaled. The first: {some([paths[i] for i in other])}."
        )


def _left_out(reasons, images, paths):
    for reason in (TURNED, NOT_FINITE, UNKNOWN, EMPTY, OUTSIDE, TWICE):
        found = np.flatnonzero(reasons == reason)
        if len(found):
            first = dict.fromkeys(paths[i] for i in images[found])
            yield (
                f"Left out: {len(found)} boxes that {reason}, in "
                f"{some(list(first))}."
            )


def _unread(paths):
    if paths:
        yield (
            f"Left out: {len(paths)} images whose label files cannot be read: "
            f"{some(paths)}."
        )
