"""Checkpoints with checksums.

A checkpoint is a folder `step-000000123` with TensorFlow's own checkpoint
files, `parts.json` with the state of other parts of the run, and
`checkpoint.json` with the SHA-256 sums of all files. It is written under a
temporary name and renamed, so a folder with the final name is complete.
"""

import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Protocol

import keras
import tensorflow as tf
from absl import logging

from byol_tf.checks import check_number
from byol_tf.files import flush, plain_path, read_json, sha256, write_json
from byol_tf.layers.parameters import random_states
from byol_tf.lines import first_line

MANIFEST = "checkpoint.json"
_PARTS = "parts.json"
_PREFIX = "step-"


class Part(Protocol):
    """A stateful part of a run besides the model, such as a log."""

    def state(self) -> dict:
        """Returns the state as JSON values."""

    def set_state(self, state: dict) -> None:
        """Restores a state; {} means the beginning."""


class CheckpointStore:
    """Saves and restores a model with its optimizer.

    Args:
        directory: folder of the checkpoints, made when needed.
        model: a compiled `keras.Model` with a `step` variable.
        keep: number of latest checkpoints to keep.
        parts: further parts by name, saved and restored along with the model. A
            part that is missing in a checkpoint gets {}.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        model,
        keep: int = 2,
        parts: Mapping[str, Part] | None = None,
    ):
        check_number("keep", keep, 1)
        self.directory = pathlib.Path(directory)
        self.model = model
        self.keep = keep
        self.parts = {"draws": _DropoutStates(model), **(parts or {})}
        self._checkpoint = tf.train.Checkpoint(
            model=model, optimizer=model.optimizer
        )

    def steps(self) -> list[int]:
        """Returns the steps of the existing checkpoints, oldest first."""
        if not self.directory.is_dir():
            return []
        names = (entry.name for entry in self.directory.iterdir())
        return sorted(
            int(name[len(_PREFIX) :])
            for name in names
            if name.startswith(_PREFIX) and name[len(_PREFIX) :].isdigit()
        )

    def save(self) -> pathlib.Path:
        """Writes the current state as the latest checkpoint.

        Raises:
            OSError: if it cannot be written. Earlier checkpoints are kept.
        """
        step = int(self.model.step.numpy())
        path = self._write(self._path(step))
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self._path(old), ignore_errors=True)
        return path

    def save_best(self, score: float) -> bool:
        """Writes the checkpoint `best` if `score` exceeds the previous best."""
        path = self.directory / "best"
        if path.exists() and _problem(path) is None:
            best_score = read_json(path / MANIFEST)["score"]
            if score <= best_score:
                return False
        self._write(path, score)
        return True

    def restore_latest(self) -> int:
        """Restores the newest intact checkpoint and returns its step.

        Skips damaged checkpoints with a warning, and removes unfinished files
        of a killed process. Returns 0 if there is no checkpoint.

        Raises:
            ValueError: if there are checkpoints, but none is intact.
        """
        self._tidy()
        steps = self.steps()
        for step in reversed(steps):
            path = self._path(step)
            problem = _problem(path)
            if problem is None:
                self.restore(path)
                return step
            logging.warning(
                "Checkpoint %s is damaged (%s); trying the one before.",
                path,
                problem,
            )
        if steps:
            raise ValueError(
                f"{self.directory} has no checkpoint that is whole: {path} is "
                f"damaged ({problem}). Put a good copy there, or move the "
                "folder away to start from the beginning"
            )
        return 0

    def restore(self, path: pathlib.Path) -> None:
        """Restores the checkpoint in the folder `path`.

        Raises:
            ValueError: if it belongs to another model or run.
        """
        states = read_json(path / _PARTS) if (path / _PARTS).exists() else {}
        for name, part in self.parts.items():
            part.set_state(states.get(name, {}))
        try:
            with plain_path(path) as folder:
                status = self._checkpoint.read(f"{folder}/state")
                status.assert_existing_objects_matched()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                f"{path} is not a checkpoint of this model: {_reason(error)}"
            ) from error

    def _path(self, step: int) -> pathlib.Path:
        return self.directory / f"{_PREFIX}{step:09d}"

    def _write(self, path: pathlib.Path, score: float | None = None):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            with plain_path(temporary) as folder:
                self._checkpoint.write(f"{folder}/state")
            parts = {name: part.state() for name, part in self.parts.items()}
            write_json(temporary / _PARTS, parts)
            sums = {
                file.name: sha256(file) for file in sorted(temporary.iterdir())
            }
            step = int(self.model.step.numpy())
            manifest = {"step": step, "score": score, "sha256": sums}
            write_json(temporary / MANIFEST, manifest)
            for file in (*map(temporary.joinpath, sums), temporary):
                flush(file)
            _replace(temporary, path)
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"checkpoint {path} cannot be written: {_reason(error)}. The "
                "checkpoints before it stay; run the same command again when "
                "there is room"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return path

    def _tidy(self):
        """Removes or completes what a killed process left unfinished."""
        for entry in self.directory.glob(".*.*"):
            if not entry.name.startswith((f".{_PREFIX}", ".best.")):
                continue
            final = self.directory / entry.name[1:].removesuffix(".old")
            if entry.suffix == ".old" and not final.exists():
                os.replace(entry, final)  # killed between two renames
            else:
                shutil.rmtree(entry, ignore_errors=True)


class _DropoutStates:
    """States of a model's dropout, which are not in TensorFlow's files."""

    def __init__(self, model):
        self._model = model

    def state(self):
        return {
            "states": [s.numpy().tolist() for s in random_states(self._model)]
        }

    def set_state(self, state):
        values = state.get("states", ())  # of earlier releases: none
        for variable, value in zip(
            random_states(self._model), values, strict=False
        ):
            variable.assign(value)


def find_checkpoint(directory: pathlib.Path, which: str) -> pathlib.Path:
    """Finds the "last" or "best" checkpoint, also while the run writes.

    Raises:
        ValueError: if there is none, or it is damaged.
    """
    pattern = which if which == "best" else f"{_PREFIX}*"
    checkpoints = sorted(directory.glob(pattern))
    if not checkpoints:
        raise ValueError(f"there is no {which} checkpoint in {directory}")
    if problem := _problem(checkpoints[-1]):
        raise ValueError(f"{checkpoints[-1]} is damaged: {problem}")
    return checkpoints[-1]


def restore_encoder(encoder: keras.Model, path: pathlib.Path) -> int:
    """Restores only the encoder from the checkpoint in the folder `path`.

    Returns:
        The step of the checkpoint.

    Raises:
        ValueError: if it holds no such encoder.
    """
    holder = tf.train.Checkpoint(model=tf.train.Checkpoint(encoder=encoder))
    try:
        with plain_path(path) as folder:
            status = holder.read(f"{folder}/state")
            status.assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"{path} holds another encoder than the config.yaml of its run "
            "describes; restore that run's own config.yaml"
        ) from error
    return read_json(path / MANIFEST)["step"]


def _replace(new: pathlib.Path, path: pathlib.Path) -> None:
    """Replaces a folder by a new one; the old one stays complete until then."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    os.replace(new, path)
    flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _problem(path: pathlib.Path) -> str | None:
    """Returns what is wrong with a checkpoint, or None."""
    try:
        sums = read_json(path / MANIFEST)["sha256"]
        if "state.index" not in sums:
            return f"{MANIFEST} does not list its files"
        for name, expected in sums.items():
            if sha256(path / name) != expected:
                return f"{name} does not have its checksum"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    """Returns the first line of an error."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" * bool(error.filename))
    return first_line(error)
