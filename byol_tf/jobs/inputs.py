"""Shared inputs of the jobs after pretraining."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from byol_tf.jobs.pretrain import start
from byol_tf.layers.graph import rebuild
from byol_tf.runs.config import config_of_run
from byol_tf.runs.description import weights_digest
from byol_tf.runs.encoder import Encoder

CONFIG = "config.yaml"
EMPTY = MappingProxyType({})


def data_suffix(config) -> str:
    """Returns the suffix of files about other data; "" for the run's own."""
    section = config.data
    path = pathlib.Path(os.path.expanduser(section.dir or ""))
    name = section.name or (path.stem if path.is_file() else path.name)
    parts = [name or section.source, section.label_column]
    name = "_".join(filter(None, parts))
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    return f"_{safe}" if safe else ""


def run_with_data(config, workdir, defaults, *, labels: str = ""):
    """Returns the configuration of a run, with other data if given.

    Args:
        config: configuration with a section `data`, whose fields are None where
            the run's values hold.
        workdir: the run folder.
        defaults: a run's configuration with every field.
        labels: new value of `data.labels`; "": keep it.

    Raises:
        ValueError: if the folder has no `config.yaml`, and no data are given.
    """
    if (pathlib.Path(workdir) / CONFIG).is_file():
        run = config_of_run(None, workdir, defaults, config.modality)
    elif config.data.source:
        run = defaults
    else:
        raise ValueError(
            f"{workdir} has no {CONFIG} that says where its data are; give "
            "them by --data=DIR"
        )
    with run.unlocked():
        run.modality = config.modality or run.modality
        overrides = _set_fields(config.data)
        if overrides.keys() & {"source", "dir", "name"}:
            run.data.pair_column = ""  # only the run's own have second texts
        run.data.update(overrides)
        run.data.labels = labels or run.data.labels
    return run


def about_encoder(encoder: Encoder) -> dict:
    """Returns facts that identify an encoder, as JSON values."""
    return {
        "sha256": encoder.about["sha256"],
        "weights_sha256": weights_digest(encoder.model),
        "features": encoder.features,
        "image_size": encoder.sizes.get("view_size"),
    }


def start_of(workdir, encoder: Encoder) -> tuple[str, Encoder] | None:
    """Returns the original weights, if the run began with weights.

    Returns:
        Their name in tables, and the encoder; None for other runs, and if the
        folder no longer holds the weights.
    """
    name = encoder.about.get("start")
    path = pathlib.Path(workdir) / start.WEIGHTS_FILE
    if not name or not path.is_file():
        return None
    about = {k: v for k, v in encoder.about.items() if k != "sha256"}
    model, shape = start.read_keras(path), encoder.model.input_shape
    if model.input_shape != shape:  # see `encoder.input_size`
        model = rebuild(model, input_shape=shape[1:])
    original = dataclasses.replace(encoder, model=model, about=about)
    return start.as_it_came(name), original


def crop_options(
    section, encoder: Encoder, task_crops: Mapping = EMPTY
) -> dict:
    """Returns options of training views, in order of precedence.

    Args:
        section: as configured.
        encoder: an encoder, which stores those of its run.
        task_crops: those of a task, before those of the run.
    """
    run_crops = encoder.about.get("crops", {})
    run_crops = {
        k: tuple(v) if isinstance(v, list) else v for k, v in run_crops.items()
    }
    return {**run_crops, **task_crops, **_set_fields(section)}


def train_view(encoder: Encoder, crops: Mapping) -> Callable | None:
    """Returns the views for training with labels, see `Modality.train_view`."""
    return encoder.modality.train_view(encoder.preprocessor, crops)


def _set_fields(section):
    return {key: value for key, value in section.items() if value is not None}
