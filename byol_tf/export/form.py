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
        encode: any number of stored rows `[n, ...]` to float32 `[n, d]`.
        precision: of the weights; decides what is tolerated.
        encode_files: the contents of files to float32 `[n, d]`, or None if it
            takes no files.
        as_files: from stored rows to files of the same, or None.
    """

    name: str
    bytes_on_disk: int
    encode: Callable[[np.ndarray], np.ndarray]
    precision: str = "float32"
    encode_files: Callable[[Sequence[bytes]], np.ndarray] | None = None
    as_files: Callable[[np.ndarray], Sequence[bytes]] | None = None
