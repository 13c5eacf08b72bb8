"""Checkpoints that are whole, verified, and few.

A checkpoint is a folder `step-000000123` with TensorFlow's own checkpoint
files and a `checkpoint.json` that lists their SHA-256 sums. It is written
under a temporary name and renamed, so a folder of that name is whole.
"""

import os
import pathlib
import shutil

import tensorflow as tf
from absl import logging

from byol_tf.files import read_json, sha256, write_json

_MANIFEST = "checkpoint.json"
_PREFIX = "step-"


class CheckpointStore:
    """Saves and restores a model with its optimizer.

    Args:
        directory: where the checkpoints lie; made when needed.
        model: a compiled `keras.Model` with a `step` variable.
        keep: how many of the latest checkpoints stay.
    """

    def __init__(self, directory: str | os.PathLike, model, keep: int = 2):
        if keep < 1:
            raise ValueError(
                f"`keep` must be at least 1. Received: keep={keep}"
            )
        self.directory = pathlib.Path(directory)
        self.model = model
        self.keep = keep
        self._checkpoint = tf.train.Checkpoint(
            model=model, optimizer=model.optimizer
        )

    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, oldest first."""
        if not self.directory.is_dir():
            return []
        names = (entry.name for entry in self.directory.iterdir())
        return sorted(
            int(name[len(_PREFIX) :])
            for name in names
            if name.startswith(_PREFIX) and name[len(_PREFIX) :].isdigit()
        )

    def save(self) -> pathlib.Path:
        """Writes the present state as the latest checkpoint."""
        step = int(self.model.step.numpy())
        path = self._write(self._path(step))
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self._path(old), ignore_errors=True)
        return path

    def save_best(self, score: float) -> bool:
        """Writes `best` if `score` is above that of the `best` there is."""
        path = self.directory / "best"
        known = None
        if (path / _MANIFEST).exists():
            known = read_json(path / _MANIFEST)["score"]
        if known is not None and score <= known:
            return False
        self._write(path, score)
        return True

    def restore_latest(self) -> int:
        """Restores the newest whole checkpoint and returns its step.

        One whose checksums do not fit is passed over with a warning. Returns
        0 if there is none.
        """
        for step in reversed(self.steps()):
            problem = _verify(self._path(step))
            if problem is None:
                self.restore(self._path(step))
                return step
            logging.warning(
                "Checkpoint %s is damaged (%s); trying the one before.",
                self._path(step),
                problem,
            )
        return 0

    def restore(self, path: pathlib.Path) -> None:
        """Restores the checkpoint in the folder `path`."""
        status = self._checkpoint.read(str(path / "state"))
        status.assert_existing_objects_matched()

    def _path(self, step: int) -> pathlib.Path:
        return self.directory / f"{_PREFIX}{step:09d}"

    def _write(self, path: pathlib.Path, score: float | None = None):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            self._checkpoint.write(str(temporary / "state"))
            sums = {
                file.name: sha256(file) for file in sorted(temporary.iterdir())
            }
            step = int(self.model.step.numpy())
            manifest = {"step": step, "score": score, "sha256": sums}
            write_json(temporary / _MANIFEST, manifest)
            _replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return path


def _replace(new: pathlib.Path, path: pathlib.Path) -> None:
    """Puts a folder in the place of another, which is whole until then."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)


def _verify(path: pathlib.Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        sums = read_json(path / _MANIFEST)["sha256"]
        for name, expected in sums.items():
            if sha256(path / name) != expected:
                return f"{name} does not have its checksum"
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None
