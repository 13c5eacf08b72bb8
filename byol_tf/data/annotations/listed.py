"""What files of annotations say, before anything is checked."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """One object as its file has it.

    Attributes:
        image: place of its image in `Listed.paths`.
        corners: left, top, right, bottom, in pixels, or in fractions of width
            and height if `Listed.relative`.
        label: place of its class in `Listed.names`; -1 if there is none.
        crowd: whether it is a region of many, or too hard to be judged.
        area: in pixels; None for that of the box.
    """

    image: int
    corners: tuple[float, float, float, float]
    label: int
    crowd: bool = False
    area: float | None = None


@dataclasses.dataclass(frozen=True)
class Listed:
    """The images of one split, and their objects.

    Attributes:
        name: of the file or folder that says so, for messages.
        root: that the paths are relative to.
        paths: of the images, with slashes; those without a box are negatives.
        names: of the classes.
        boxes: in any order.
        ids: of the classes in the file: COCO's `category_id`.
        image_ids: COCO's `id` by path.
        sizes: width and height of images as the file has them, by path.
        relative: whether corners are fractions.
        notes: lines for a person.
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
    notes: tuple[str, ...] = ()
