"""Objects of a COCO file, cut out of their images one by one."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from byol_tf.data.annotations.coco_points import crop_around, scale_of
from byol_tf.data.annotations.listed import Annotations, Box
from byol_tf.modalities.image.decode import decode_image
from byol_tf.modalities.image.inputs import png
from byol_tf.tasks.detection import CORNERS
from byol_tf.tasks.tiled import npy


def as_file(pixels: np.ndarray) -> tuple[bytes, str]:
    """Returns a file of the same values and its ending, `.png` or `.npy`."""
    if pixels.dtype != np.float32 and pixels.shape[-1] in (1, 3):
        return png(pixels), ".png"
    return npy(pixels), ".npy"


@dataclasses.dataclass(frozen=True)
class CutObjects:
    """The objects of each image, for a task of one object an example.

    Attributes:
        boxes: by path of the image.
        annotations: what the file says.
        as_results: name an object by COCO's `category_id` and `bbox`, not by
            `label` and corners.
    """

    boxes: Mapping[str, Sequence[Box]]
    annotations: Annotations
    as_results: bool

    @classmethod
    def of(cls, annotations: Annotations, as_results: bool) -> "CutObjects":
        """Takes the objects that a file lists, without crowds."""
        boxes = {path: [] for path in annotations.paths}
        for box in annotations.boxes:
            if not box.crowd and box.label >= 0:
                boxes[annotations.paths[box.image]].append(box)
        return cls(boxes, annotations, as_results)

    def parts(
        self, path: str, file, decode: Callable, max_pixels: int
    ) -> list[tuple]:
        """Returns each object of an image, to predict one by one.

        Args:
            path: of the image, as the COCO file has it.
            file: the same as a path or bytes that can be read.
            decode: of the bytes of an image to a stored row.
            max_pixels: larger images are not decoded.

        Returns:
            For each object what it is, by name, its stored row, and its
            origin, see `Task.of_objects`.

        Raises:
            ImageError: if the image cannot be decoded or is too large.
        """
        pixels = decode_image(file, max_pixels=max_pixels)
        height, width, _ = pixels.shape
        objects, scale = (
            [],
            scale_of(self.annotations.sizes.get(path), width, height),
        )
        for box in self.boxes[path] if scale is not None else ():
            corners = np.multiply(box.corners, [*scale, *scale])
            place = crop_around(corners, width, height)
            if place is None:
                continue
            left, top, right, bottom = place
            row = decode(npy(pixels[top:bottom, left:right]))
            origin = {
                "size": (right - left, bottom - top),
                "place": (left, top),
                "whole": (width, height),
            }
            objects.append((self._describe(box), row, origin))
        return objects

    def _describe(self, box):
        x0, y0, x1, y1 = box.corners
        if self.as_results:
            category = self.annotations.ids[box.label]
            return {"category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        corners = dict(zip(CORNERS, box.corners, strict=True))
        return {"label": self.annotations.names[box.label], **corners}
