"""A cache of representations on disk."""

import hashlib
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
from absl import logging

from byol_tf.files import whole_file


class FeatureCache:
    """Keeps one `.npz` file per encoder and dataset in a folder."""

    def __init__(self, directory: str | os.PathLike):
        self.directory = pathlib.Path(directory)

    def path(self, identity: Mapping) -> pathlib.Path:
        """Returns the file for this identity, which may not exist yet."""
        text = json.dumps(identity, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        return self.directory / f"{key[:32]}.npz"

    def get(
        self, identity: Mapping, count: int, compute: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """Returns cached float32 `[count, dim]`, or computes and caches it.

        Args:
            identity: all that the features depend on, as JSON values.
            count: number of examples; a file with another number is damaged.
            compute: returns the features.
        """
        path = self.path(identity)
        features = _read(path, count)
        if features is None:
            features = compute()
            with whole_file(path) as temporary:
                np.savez(temporary, features=features)
        return features


def _read(path, count):
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            features = file["features"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        features = np.empty((0, 0))
    if features.ndim == 2 and len(features) == count:
        return features
    logging.warning("%s is damaged; its features are computed again.", path)
    return None
