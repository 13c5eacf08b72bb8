"""Stored rows that a run folder keeps, on which exports are compared."""

import contextlib
import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import Ragged, Unreadable
from byol_tf.files import loading, whole_file

FILE = "samples.npz"
KEPT = 256  # rows, at most


class Samples(NamedTuple):
    """Some rows as stored, and int labels `[n]`, -1 where none.

    Rows are an array `[n, ...]`, or `Ragged` where they differ in length.
    """

    rows: np.ndarray | Ragged
    labels: np.ndarray


def draw_samples(
    examples: Examples,
    seed: int,
    count: int = KEPT,
    decode: Callable | None = None,
) -> Samples:
    """Draws rows without replacement, in the order of the set.

    Args:
        examples: the set.
        seed: of the draw.
        count: rows, at most.
        decode: from an encoded row to an array; rows that it cannot read are
            left out.
    """
    rng = np.random.default_rng((seed, 3))
    count = min(count, examples.num_examples)
    chosen = rng.choice(examples.num_examples, count, replace=False)
    return stored(examples.subset(np.sort(chosen)), decode)


def stored(part: Examples, decode: Callable | None) -> Samples:
    """All rows of a set as stored, see `draw_samples`."""
    if not part.encoded:
        rows = np.asarray(part.rows) if part.dense else part.rows
        return Samples(rows, np.asarray(part.labels))
    rows, labels = [], []
    for row, label in zip(part.rows, part.labels, strict=True):
        with contextlib.suppress(Unreadable):
            rows.append(decode(row))
            labels.append(label)
    same = len({row.shape for row in rows}) == 1
    return Samples(
        np.stack(rows) if same else Ragged.of(rows), np.array(labels)
    )


def save_samples(samples: Samples, workdir: str | os.PathLike) -> None:
    """Writes `samples.npz` into a run folder, whole or not at all."""
    parts = samples._asdict()
    if isinstance(samples.rows, Ragged):
        rows = list(samples.rows)
        parts["rows"] = np.concatenate(rows)
        parts["offsets"] = np.cumsum([0, *map(len, rows)])
    with whole_file(pathlib.Path(workdir) / FILE) as temporary:
        np.savez(temporary, **parts)


def load_samples(workdir: str | os.PathLike) -> Samples | None:
    """The rows that pretraining kept; None in a folder without them.

    Raises:
        ValueError: the file cannot be read.
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        return None
    with loading(path), np.load(path, allow_pickle=False) as file:
        rows = file["rows"]
        if "offsets" in file:
            rows = Ragged(rows, file["offsets"])
        samples = Samples(rows, file["labels"])
        if not 0 < len(samples.rows) == len(samples.labels):
            raise ValueError(
                f"it holds {len(samples.rows)} rows and "
                f"{len(samples.labels)} labels"
            )
    return samples
