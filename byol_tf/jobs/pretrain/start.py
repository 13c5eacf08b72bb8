"""The initial encoder of a run: random, or with given weights."""

import os
import pathlib
import re
from collections.abc import Callable

import keras

from byol_tf.files import loading, save_model
from byol_tf.layers.batch_norm import is_batch_norm
from byol_tf.layers.graph import functional_graph
from byol_tf.layers.parameters import unfreeze
from byol_tf.layers.plain import to_fast
from byol_tf.runs.config import config_of_run
from byol_tf.runs.encoder import FILE, load_encoder
from byol_tf.training.checkpoints import (
    MANIFEST,
    find_checkpoint,
    restore_encoder,
)

BATCH_NORMS = "batch_norms"  # value of `encoder.freeze`: all batch norms
# Value of `encoder.weights` for the modality's own, see `Modality.pretrained`.
NAMED = ("imagenet", "lsa")
FOLDERS = ("keras_hub",)  # of `encoder.name`: whose folder the modality reads
# Copy in the run folder, to continue without the file.
WEIGHTS_FILE = "start.keras"


def starting_encoder(
    config,
    workdir,
    make: Callable[[object], keras.Model],
    official: Callable[[pathlib.Path], keras.Model] | None = None,
    make_pretrained: Callable[[object], keras.Model] | None = None,
) -> keras.Model:
    """Gives the encoder that `config.encoder` names, some layers frozen.

    Args:
        config: of the run.
        workdir: its folder, which gets a copy of weights that are given.
        make: makes a random encoder for the rows of this run, of a
            configuration.
        official: reads an official checkpoint; None where that is not known.
        make_pretrained: makes the encoder with the weights that one of `NAMED`
            stands for, or of `FOLDERS`, see `Modality.pretrained`; functional.

    Raises:
        ValueError: in one line, if the weights cannot be read, do not fit the
            inputs, or a layer to freeze is not there.
    """
    section = config.encoder
    if section.weights:
        copy_path = pathlib.Path(workdir) / WEIGHTS_FILE
        weights_path = pathlib.Path(os.path.expanduser(section.weights))
        of_modality = section.weights in NAMED or section.name in FOLDERS
        if of_modality and make_pretrained and not copy_path.is_file():
            model = to_fast(make_pretrained(config))
        else:
            source = copy_path if copy_path.is_file() else weights_path
            model = _read(source, config, make, official)
        _check_inputs(model, make(config), section.weights)
        if not copy_path.is_file():
            save_model(model, copy_path)
    else:
        model = make(config)
    freeze(model, section.freeze)
    return model


def freeze(model: keras.Model, names: str) -> None:
    """Freezes layers by name or prefix.

    Args:
        model: model with such layers, at any depth.
        names: separated by commas; "stage1" matches "stage1_block0_conv" but
            not "stage10". "batch_norms" are all batch norms, which then keep
            their statistics.

    Raises:
        ValueError: if there is no such layer, or none is left to train.
    """
    layers = list(_layers(model))
    for name in filter(None, (part.strip() for part in names.split(","))):
        matches = _layers_named(layers, name)
        if not matches:
            prefixes = dict.fromkeys(x.name.split("_")[0] for x in layers)
            raise ValueError(
                f"encoder.freeze={names}: no layer begins with {name!r}; they "
                f"begin with {', '.join(prefixes)}; or {BATCH_NORMS}"
            )
        for layer in matches:
            layer.trainable = False
    if not model.trainable_weights:
        raise ValueError(
            f"encoder.freeze={names} leaves no layer of the encoder to train; "
            "name fewer"
        )


def as_it_came(start: str) -> str:
    """Returns the name in tables of the weights that a run began with."""
    return f"as it came ({pathlib.Path(start).name})"


def read_keras(path: pathlib.Path) -> keras.Model:
    """Reads an encoder from a `.keras` file, with every layer trainable."""
    with loading(path):
        model = keras.saving.load_model(path, compile=False)
    model = to_fast(model) if functional_graph(model) else model
    unfreeze(model)
    return model


def _read(path, config, make, official):
    if (path / FILE).is_file():
        return load_encoder(path, modality=config.modality).model
    if path.is_dir():
        return _of_checkpoint(path, config, make)
    if not path.is_file():
        raise ValueError(
            f"encoder.weights={path}: there is no such file or folder"
        )
    if path.suffix == ".keras":
        return read_keras(path)
    if official is None:
        raise ValueError(
            f"encoder.weights={path} is not a .keras file; convert an official "
            f"checkpoint first: byol_tf convert {path} --to=encoder.keras"
        )
    return official(path)


def _of_checkpoint(path, config, make):
    """Reads the encoder in a checkpoint, or in the last one of a run folder."""
    if (path / "checkpoints").is_dir():
        path = path / "checkpoints"
    if not (path / MANIFEST).is_file():
        path = find_checkpoint(path, "last")
    run = config_of_run(None, path.parent.parent, config, config.modality)
    model = make(run)
    restore_encoder(model, path)
    return model


def _check_inputs(model, random_encoder, name):
    input_shape, view_shape = model.input_shape, random_encoder.input_shape
    fits = isinstance(input_shape, tuple) == isinstance(view_shape, tuple)
    if fits and isinstance(input_shape, tuple):
        fits = len(input_shape) == len(view_shape) and all(
            a in (None, b) for a, b in zip(input_shape, view_shape, strict=True)
        )
    if not fits:
        raise ValueError(
            f"encoder.weights={name} takes inputs {list(input_shape)[1:]}, but "
            f"the views of this run are {list(view_shape)[1:]}; set "
            "augment.size and data.channels as it needs them"
        )
    if len(model.output_shape) != 2:
        raise ValueError(
            f"encoder.weights={name} must give vectors [batch, features]. "
            f"Received: {model.output_shape}"
        )


def _layers_named(layers, name):
    """Returns the layers whose name has this prefix."""
    if name == BATCH_NORMS:
        return [x for x in layers if is_batch_norm(x)]
    end = r"(?!\d)" if name[-1].isdigit() else ""
    return [x for x in layers if re.match(re.escape(name) + end, x.name)]


def _layers(model):
    """Returns layers with weights that are not models, at any depth."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif layer.weights:
            yield layer
