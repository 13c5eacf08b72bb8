"""Folders of model versions, and SavedModels for servers."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from byol_tf.export.signatures import FORM
from byol_tf.export.verify import ExportedModel, in_rows
from byol_tf.files import flush, naming, plain_path
from byol_tf.modalities.signature import DEFAULT, FILES, Source

EXTRA = "assets.extra"  # in a version's folder; servers ignore it
_UNFINISHED = ".unfinished-"  # not a number, so servers ignore it


@contextlib.contextmanager
def new_version(directory: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary folder that becomes the next version.

    If the block succeeds, it is renamed to one more than the highest number in
    `directory`, from 1; if it raises, it is removed. Unfinished folders of
    earlier exports are removed too, so run one export at a time into a folder.

    Raises:
        ValueError: if `directory` is a file.
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
        for path in (*temporary.rglob("*"), temporary):
            flush(path)
        os.rename(temporary, directory / str(next_version(directory)))
        flush(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def next_version(directory: str | os.PathLike) -> int:
    """Returns one more than the highest number of its folders, from 1."""
    names = [path.name for path in pathlib.Path(directory).iterdir()]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    return max(numbers, default=0) + 1


def save(
    module: tf.Module,
    signatures: Mapping[str, Callable],
    directory: str | os.PathLike,
) -> None:
    """Writes a SavedModel; see `signatures.make_module`."""
    # Without tracebacks of each op.
    options = tf.saved_model.SaveOptions(save_debug_info=False)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    failure = tf.errors.OpError
    with plain_path(directory) as path, naming(directory, failure):
        tf.saved_model.save(module, path, dict(signatures), options)


def size_on_disk(directory: str | os.PathLike) -> int:
    """Returns the bytes of all files of a folder."""
    files = pathlib.Path(directory).rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file())


def load(
    directory: str | os.PathLike,
    encoder: Source,
    predictions: Mapping[str, Source],
) -> list[ExportedModel]:
    """Loads a SavedModel for the comparison.

    Args:
        directory: folder of the SavedModel.
        encoder: its source, whose signatures say how to call it.
        predictions: fine-tuned models in it, by name of their signatures.

    Returns:
        The encoder, and each fine-tuned model that takes stored rows.
    """
    with plain_path(directory) as path:
        loaded = tf.saved_model.load(path)
    size = size_on_disk(directory)
    exports = [_encoder(loaded, size, encoder)]
    for name, source in predictions.items():
        signature = source.inputs(FORM)[DEFAULT]
        if signature.of_rows is not None:
            calls = [
                _call(loaded, name, signature, choose, is_file=False)
                for choose in (in_rows, dict)
            ]
            encode, predict = calls
            exported = ExportedModel(f"saved_model {name}", size, encode)
            exports.append(dataclasses.replace(exported, predict=predict))
    return exports


def _encoder(loaded, size, source):
    encode = encode_files = as_files = None
    for name, signature in source.inputs(FORM).items():
        is_file = FILES in signature.specs
        call = _call(loaded, name, signature, _vectors, is_file)
        if is_file:
            encode_files, as_files = call, signature.of_rows
        elif signature.of_rows:
            encode = call
    return ExportedModel(
        "saved_model", size, encode, "float32", encode_files, as_files
    )


def _vectors(outputs):
    return outputs["representations"]


def _call(loaded, name, signature, choose, is_file):
    """Returns a function from stored rows, or files, to chosen outputs."""
    (key,) = signature.specs

    # Keeps `loaded` alive, and with it the variables.
    def call(values):
        inputs = values if is_file else signature.of_rows(values)
        outputs = loaded.signatures[name](**{key: tf.constant(inputs)})
        return tf.nest.map_structure(np.asarray, choose(outputs))

    return call
