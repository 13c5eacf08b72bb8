"""An exported model as the comparison sees it, whatever its format."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Form:
    """An export that was loaded again.

    Attributes:
        name: for tables and messages, such as "litert float16".
        bytes_on_disk: of all its files.
        encode: uint8 images `[n, height, width, channels]` of any number and
            size to float32 `[n, d]`.
        precision: of the weights; decides what is tolerated.
        encode_files: the contents of image files to float32 `[n, d]`, or None
            if it takes no files.
    """

    name: str
    bytes_on_disk: int
    encode: Callable[[np.ndarray], np.ndarray]
    precision: str = "float32"
    encode_files: Callable[[Sequence[bytes]], np.ndarray] | None = None


def as_floats(images: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] of uint8 images."""
    return np.asarray(images, np.float32) / np.float32(255.0)
