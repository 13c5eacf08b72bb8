"""A set of examples, as everything downstream takes it."""

import dataclasses
import hashlib

import numpy as np

FINGERPRINT_ROWS = 4096  # images that enter a fingerprint


class Rows:
    """Some rows of an array that is too large to copy, read when indexed.

    Args:
        array: `[N, ...]`, usually memory-mapped.
        index: int `[M]`, the rows.
    """

    def __init__(self, array: np.ndarray, index: np.ndarray):
        self.array = array
        self.index = index
        self.shape = (len(index), *array.shape[1:])
        self.dtype = array.dtype
        self.ndim = array.ndim

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key) -> np.ndarray:
        return np.asarray(self.array[self.index[key]])

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Rows of one shape with their labels.

    Attributes:
        rows: uint8 `[N, height, width, channels]`: an array, a memory map,
            or `Rows` of one.
        labels: int32 `[N]`, -1 where there is none.
        class_names: names of the labels, or () where there are none.
        name: for messages and reports.
        skipped: `(path, reason)` of the images that could not be read.
        paths: of the images, relative to `folder`, or () where they do not
            come from files.
        folder: that the images come from, or "".
    """

    rows: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] = ()
    name: str = "images"
    skipped: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    folder: str = ""

    def __post_init__(self):
        if len(self.rows) != len(self.labels):
            raise ValueError(
                "`rows` and `labels` must have the same length. Received: "
                f"len(rows)={len(self.rows)}, "
                f"len(labels)={len(self.labels)}"
            )
        if self.paths and len(self.paths) != len(self.labels):
            raise ValueError(
                "`paths` must be empty, or one for each image. Received: "
                f"{len(self.paths)} paths of {len(self.labels)} images"
            )

    @property
    def num_examples(self) -> int:
        return len(self.rows)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of one row; `(height, width, channels)` of an image."""
        return tuple(self.rows.shape[1:])

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return max(len(self.class_names), int(self.labels.max(initial=-1)) + 1)

    @property
    def labelled(self) -> bool:
        """Whether any image has a label."""
        return bool((self.labels >= 0).any())

    def fingerprint(self) -> str:
        """16 hex digits of shape, labels and pixels.

        Pixels are those of all images of a set of at most 4,096, else of
        4,096 images at equal distances.
        """
        count = self.num_examples
        chosen = np.unique(
            np.linspace(0, max(count - 1, 0), min(count, FINGERPRINT_ROWS))
            .round()
            .astype(np.int64)
        )
        digest = hashlib.sha256(repr(tuple(self.rows.shape)).encode())
        digest.update(np.ascontiguousarray(self.labels, "<i4").tobytes())
        for start in range(0, len(chosen), 256):
            rows = self.rows[chosen[start : start + 256]]
            digest.update(np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()[:16]

    def numbered(self) -> "Examples":
        """The same images with their positions in place of labels.

        Batches of them tell which images they hold.
        """
        positions = np.arange(self.num_examples, dtype=np.int32)
        return dataclasses.replace(self, labels=positions)

    def subset(self, index: np.ndarray) -> "Examples":
        """The images at these positions, in the given order.

        Images in memory are copied; of a memory map only `Rows` are kept.
        """
        index = np.asarray(index)
        if isinstance(self.rows, np.memmap):
            rows = Rows(self.rows, index)
        elif isinstance(self.rows, Rows):
            rows = Rows(self.rows.array, self.rows.index[index])
        else:
            rows = self.rows[index]
        labels = self.labels[index]
        paths = self.paths
        if paths:
            paths = tuple(np.array(paths, object)[index])
        return dataclasses.replace(self, rows=rows, labels=labels, paths=paths)
