"""Stored rows that a run folder keeps, on which exports are compared."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.files import loading, whole_file

FILE = "samples.npz"
KEPT = 256  # rows, at most


class Samples(NamedTuple):
    """Some rows `[n, ...]` as stored, and int labels `[n]`, -1 where none."""

    rows: np.ndarray
    labels: np.ndarray


def draw_samples(examples: Examples, seed: int, count: int = KEPT) -> Samples:
    """Draws rows without replacement, in the order of the set.

    Args:
        examples: the set.
        seed: of the draw.
        count: rows, at most.
    """
    rng = np.random.default_rng((seed, 3))
    count = min(count, examples.num_examples)
    chosen = rng.choice(examples.num_examples, count, replace=False)
    part = examples.subset(np.sort(chosen))
    return Samples(np.asarray(part.rows), np.asarray(part.labels))


def save_samples(samples: Samples, workdir: str | os.PathLike) -> None:
    """Writes `samples.npz` into a run folder, whole or not at all."""
    with whole_file(pathlib.Path(workdir) / FILE) as temporary:
        np.savez(temporary, **samples._asdict())


def load_samples(workdir: str | os.PathLike) -> Samples | None:
    """The rows that pretraining kept; None in a folder without them.

    Raises:
        ValueError: the file cannot be read.
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        return None
    with loading(path), np.load(path, allow_pickle=False) as file:
        samples = Samples(file["rows"], file["labels"])
        if not 0 < len(samples.rows) == len(samples.labels):
            raise ValueError(
                f"it holds {len(samples.rows)} rows and "
                f"{len(samples.labels)} labels"
            )
    return samples
