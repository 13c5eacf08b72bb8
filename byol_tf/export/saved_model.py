"""Folders of models by version, and SavedModels as servers read them."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from byol_tf.export.signatures import FORM
from byol_tf.export.verify import ExportedModel
from byol_tf.files import plain_path
from byol_tf.modalities.signature import Source

EXTRA = "assets.extra"  # in a version's folder; servers do not look into it
_UNFINISHED = ".unfinished-"  # not a number: servers pass over it


@contextlib.contextmanager
def new_version(directory: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary folder that becomes the next version.

    It is renamed to one more than the highest number in `directory`, from 1,
    if the block succeeds, and removed if it raises. What earlier exports left
    unfinished is removed too: one export at a time into a folder.

    Raises:
        ValueError: `directory` is a file.
    """
    directory = pathlib.Path(directory)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"--to must be a folder. Received: {directory}")
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = directory / f"{_UNFINISHED}{os.getpid()}"
    temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, directory / str(next_version(directory)))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def next_version(directory: str | os.PathLike) -> int:
    """One more than the highest number that a folder in it has, from 1."""
    names = [path.name for path in pathlib.Path(directory).iterdir()]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    return max(numbers, default=0) + 1


def save(
    module: tf.Module,
    signatures: Mapping[str, Callable],
    directory: str | os.PathLike,
) -> None:
    """Writes a SavedModel; see `signatures.make_module`."""
    # Without the traces of where in the source each op was made.
    options = tf.saved_model.SaveOptions(save_debug_info=False)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with plain_path(directory) as path:
        tf.saved_model.save(module, path, dict(signatures), options)


def size_on_disk(directory: str | os.PathLike) -> int:
    """Bytes of all files of a folder."""
    files = pathlib.Path(directory).rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file())


def load(directory: str | os.PathLike, source: Source) -> ExportedModel:
    """Loads a SavedModel for the comparison.

    Args:
        directory: of the SavedModel.
        source: what it was made of, whose signatures say how it is called.
    """
    with plain_path(directory) as path:
        loaded = tf.saved_model.load(path)
    rows = files = None, None
    for name, signature in source.inputs(FORM).items():
        ((key, spec),) = signature.specs.items()
        call = _call(loaded, name, key)
        if spec.dtype == tf.string:
            files = call, signature.of_rows
        elif signature.of_rows:
            rows = call, signature.of_rows
    call, of_rows = rows
    return ExportedModel(
        "saved_model",
        size_on_disk(directory),
        lambda batch: call(of_rows(batch)),
        encode_files=files[0],
        as_files=files[1],
    )


def _call(loaded, name, key):
    # Holds `loaded`: its variables live as long as it does.
    def call(values) -> np.ndarray:
        outputs = loaded.signatures[name](**{key: tf.constant(values)})
        return outputs["representations"].numpy()

    return call
