"""Finished trainings of a fine-tuning on disk, so that it can be continued."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

from byol_tf.files import to_json, whole_file
from byol_tf.jobs.finetune.fit import Fitted
from byol_tf.jobs.finetune.settings import Setting
from byol_tf.jobs.finetune.trainer import Weights
from byol_tf.lines import first_line

FOLDER = "finetune_trainings"


class TrainingStore:
    """Keeps trainings in a folder of the run folder until all are done.

    Args:
        workdir: the run folder.
        about: JSON values of everything that a training depends on, except its
            name. Trainings kept with other values are not found.
        arrays: arrays it depends on, too.
    """

    def __init__(
        self,
        workdir: str | os.PathLike,
        about: Mapping,
        arrays: Sequence[np.ndarray] = (),
    ):
        digest = hashlib.sha256(to_json(about).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        parent = pathlib.Path(workdir) / FOLDER
        self._folder = parent / digest.hexdigest()[:16]

    def count(self) -> int:
        """Returns the number of trainings that are done."""
        return len([*self._folder.glob("[!.]*.npz")])  # no unfinished files

    def keep(self, names: Sequence, fitted: Fitted, whole: bool) -> None:
        """Writes a training; if that fails, says so, and nothing is lost.

        Args:
            names: what distinguishes it from others.
            fitted: the training.
            whole: False: only the head was trained.
        """
        try:
            self._write(self._path(names), fitted, whole)
        except OSError as error:
            print(f"A finished training was not kept: {first_line(error)}.")

    def drop_weights(self, names: Sequence, fitted: Fitted) -> None:
        """Replaces a training whose weights are not needed any more."""
        without_weights = dataclasses.replace(fitted, weights=Weights([], []))
        self.keep(names, without_weights, whole=True)

    def _write(self, path, fitted, whole):
        about = {
            "setting": fitted.setting,
            "seed": fitted.seed,
            "metrics": fitted.metrics,
            "score": fitted.score,
            "step": fitted.step,
            "steps": fitted.steps,
            "seconds": fitted.seconds,
        }
        encoder = fitted.weights.encoder if whole else []
        arrays = {f"encoder/{i}": value for i, value in enumerate(encoder)}
        head = enumerate(fitted.weights.head)
        arrays |= {f"head/{i}": value for i, value in head}
        with whole_file(path) as temporary:
            text = json.dumps(about, default=float)  # also NaN and infinity
            np.savez(temporary, about=text, **arrays)

    def find(self, names: Sequence, encoder: Sequence) -> Fitted | None:
        """Reads a training; None if there is none that can be read.

        Args:
            names: see `keep`.
            encoder: weights of the encoder if only the head was trained.
        """
        try:
            with np.load(self._path(names), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                saved_weights = (
                    _read_arrays(file, "encoder"),
                    _read_arrays(file, "head"),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        about["setting"] = Setting(*about["setting"])
        about["score"] = tuple(about["score"])
        weights = Weights(saved_weights[0] or encoder, saved_weights[1])
        return Fitted(**about, weights=weights)

    def clear(self) -> None:
        """Removes all trainings of every fine-tuning of the run."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)

    def _path(self, names):
        plain = re.sub(r"[^\w.-]+", "_", "-".join(map(str, names)))
        return self._folder / f"{plain}.npz"


def _read_arrays(file, part):
    count = sum(name.startswith(f"{part}/") for name in file.files)
    return [file[f"{part}/{i}"] for i in range(count)]
