"""Rows stored in a run folder, to verify and evaluate exports on."""

import contextlib
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import Ragged, Unreadable
from byol_tf.files import loading, whole_file

FILE = "samples.npz"
MOST_ROWS = 256  # rows, at most
MOST_TEST_ROWS = 64  # rows with targets, at most
_MOST_BYTES = 2**25  # largest size of these in bytes


class Samples(NamedTuple):
    """Some rows as stored, and int labels `[n]`, -1 for none.

    Rows are an array `[n, ...]`, or `Ragged` if they differ in length.
    """

    rows: np.ndarray | Ragged
    labels: np.ndarray


def draw_samples(
    examples: Examples,
    seed: int,
    count: int = MOST_ROWS,
    decode: Callable | None = None,
) -> Samples:
    """Draws rows without replacement, in the order of the dataset.

    Args:
        examples: the dataset.
        seed: seed of the draw.
        count: largest number of rows.
        decode: from an encoded row to an array; unreadable rows are left out.
    """
    rng = np.random.default_rng((seed, 3))
    count = min(count, examples.num_examples)
    positions = rng.choice(examples.num_examples, count, replace=False)
    return stored_samples(examples.subset(np.sort(positions)), decode)


def stored_samples(examples: Examples, decode: Callable | None) -> Samples:
    """Returns all rows of a dataset as stored, see `draw_samples`."""
    if not examples.encoded:
        rows = np.asarray(examples.rows) if examples.dense else examples.rows
        return Samples(rows, np.asarray(examples.labels))
    rows, labels = [], []
    for row, label in zip(examples.rows, examples.labels, strict=True):
        with contextlib.suppress(Unreadable):
            rows.append(decode(row))
            labels.append(label)
    same_shape = len({row.shape for row in rows}) == 1
    return Samples(
        np.stack(rows) if same_shape else Ragged.of(rows), np.array(labels)
    )


def save_samples(samples: Samples, workdir: str | os.PathLike) -> None:
    """Writes `samples.npz` into a run folder, atomically."""
    parts = {**_packed(samples.rows), "labels": samples.labels}
    with whole_file(pathlib.Path(workdir) / FILE) as temporary:
        np.savez(temporary, **parts)


def load_samples(workdir: str | os.PathLike) -> Samples | None:
    """Loads the rows stored by pretraining; None if there are none.

    Raises:
        ValueError: if the file cannot be read.
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        return None
    with loading(path), np.load(path, allow_pickle=False) as file:
        samples = Samples(_unpacked(file), file["labels"])
        if not 0 < len(samples.rows) == len(samples.labels):
            raise ValueError(
                f"it holds {len(samples.rows)} rows and "
                f"{len(samples.labels)} labels"
            )
    return samples


class TestRows(NamedTuple):
    """Some test rows as stored, with their targets, see `Task.targets`."""

    rows: np.ndarray | Ragged
    targets: np.ndarray | Mapping[str, np.ndarray]


def save_test_rows(
    examples: Examples,
    targets: np.ndarray | Mapping[str, np.ndarray],
    path: str | os.PathLike,
) -> None:
    """Writes the first test rows beside a fine-tuned model.

    Stores nothing for encoded rows, and removes an earlier file.

    Args:
        examples: the test examples.
        targets: their targets.
        path: path of the file, `classifier.npz`.
    """
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)
    if examples.encoded:
        return
    rows = stored_samples(examples.subset(np.arange(1)), None).rows
    most = min(
        MOST_TEST_ROWS, _MOST_BYTES // max(np.asarray(rows[0]).nbytes, 1)
    )
    count = min(most, examples.num_examples)
    if not count:
        return
    rows = stored_samples(examples.subset(np.arange(count)), None).rows
    by_name = isinstance(targets, Mapping)
    target_arrays = (
        {f"target/{name}": values[:count] for name, values in targets.items()}
        if by_name
        else {"target": targets[:count]}
    )
    with whole_file(path) as temporary:
        np.savez(temporary, **_packed(rows), **target_arrays)


def load_test_rows(path: str | os.PathLike) -> TestRows | None:
    """Loads the file of `save_test_rows`; None if there is none.

    Raises:
        ValueError: if the file cannot be read.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return None
    with loading(path), np.load(path, allow_pickle=False) as file:
        if "target" in file:
            return TestRows(_unpacked(file), file["target"])
        names = [name for name in file if name.startswith("target/")]
        targets = {name.partition("/")[2]: file[name] for name in names}
        return TestRows(_unpacked(file), targets)


def _packed(rows):
    if not isinstance(rows, Ragged):
        return {"rows": rows}
    rows = list(rows)
    offsets = np.cumsum([0, *map(len, rows)])
    return {"rows": np.concatenate(rows), "offsets": offsets}


def _unpacked(file):
    rows = file["rows"]
    return Ragged(rows, file["offsets"]) if "offsets" in file else rows
