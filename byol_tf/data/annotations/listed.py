"""The contents of annotation files, unchecked."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from byol_tf.files import loading


class Box(NamedTuple):
    """One object, as in its file.

    Attributes:
        image: index of its image in `Annotations.paths`.
        corners: left, top, right, bottom, in pixels, or as fractions of width
            and height if `Annotations.relative`.
        label: index of its class in `Annotations.names`; -1 for none.
        crowd: whether it is a region of many objects, or too hard to evaluate.
        area: in pixels; None: that of the box.
    """

    image: int
    corners: tuple[float, float, float, float]
    label: int
    crowd: bool = False
    area: float | None = None


@dataclasses.dataclass(frozen=True)
class Annotations:
    """The images of one split, and their objects.

    Attributes:
        name: name of the annotation file or folder, for messages.
        root: folder that the paths are relative to.
        paths: paths of the images, with slashes; those without a box are
            negatives.
        names: names of the classes.
        boxes: in any order.
        ids: the classes' ids in the file: COCO's `category_id`.
        image_ids: COCO's `id` by path.
        sizes: width and height of images in the file, by path.
        relative: whether corners are fractions.
        damaged: paths of images whose objects are unknown, since their label
            file cannot be read.
        notes: lines for the user.
    """

    name: str
    root: pathlib.Path
    paths: Sequence[str]
    names: Sequence[str]
    boxes: Sequence[Box]
    ids: Sequence[int] = ()
    image_ids: Mapping[str, int] = dataclasses.field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = dataclasses.field(
        default_factory=dict
    )
    relative: bool = False
    damaged: Sequence[str] = ()
    notes: tuple[str, ...] = ()


def lines_of(file: pathlib.Path) -> list[str]:
    """Returns the lines of a text file that are not blank, without spaces.

    Raises:
        ValueError: if it is not UTF-8.
    """
    with loading(file):
        lines = file.read_text("utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]
