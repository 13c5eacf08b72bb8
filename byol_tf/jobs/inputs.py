"""From configurations to what the jobs after pretraining start from."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from byol_tf.jobs.pretrain import start
from byol_tf.runs.config import config_of_run
from byol_tf.runs.description import weights_digest
from byol_tf.runs.encoder import Encoder

CONFIG = "config.yaml"
EMPTY = MappingProxyType({})


def data_suffix(config) -> str:
    """Ending of the names of files about other data; "" for the run's own."""
    section = config.data
    other = section.name or pathlib.Path(section.dir or "").stem
    parts = [other or section.source, section.label_column]
    other = "_".join(filter(None, parts))
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in other)
    return f"_{safe}" if safe else ""


def bad_images_file(config) -> str:
    """Name of the list of images that cannot be read."""
    return f"bad_images{data_suffix(config)}.csv"


def run_with_data(config, workdir, defaults, *, labels: str = ""):
    """The configuration of a run, with other data where they are given.

    Args:
        config: with a section `data`, None where the run's own holds.
        workdir: the run folder.
        defaults: a configuration of a run with every field.
        labels: what `data.labels` becomes; "" keeps it.

    Raises:
        ValueError: the folder has no `config.yaml`, and no data are given.
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
        run.data.update(_given(config.data))
        run.data.labels = labels or run.data.labels
    return run


def about_encoder(encoder: Encoder) -> dict:
    """Which encoder it was, as JSON values."""
    return {
        "sha256": encoder.about["sha256"],
        "weights_sha256": weights_digest(encoder.model),
        "features": encoder.features,
        "image_size": encoder.sizes.get("view_size"),
    }


def start_of(workdir, encoder: Encoder) -> tuple[str, Encoder] | None:
    """The encoder as it came, where its run began with weights.

    Returns:
        What tables call it, and the encoder; None of other runs, and where
        the folder no longer holds the weights.
    """
    name = encoder.about.get("start")
    path = pathlib.Path(workdir) / start.KEPT
    if not name or not path.is_file():
        return None
    about = {k: v for k, v in encoder.about.items() if k != "sha256"}
    model = start.read_keras(path)
    came = dataclasses.replace(encoder, model=model, about=about)
    return start.as_it_came(name), came


def crop_options(section, encoder: Encoder, own: Mapping = EMPTY) -> dict:
    """Options of the views of training, those that come first hold.

    Args:
        section: as configured.
        encoder: that keeps those of its run.
        own: of a task, before those of the run.
    """
    kept = encoder.about.get("crops", {})
    kept = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()}
    return {**kept, **own, **_given(section)}


def train_view(encoder: Encoder, crops: Mapping) -> Callable | None:
    """The views of training with labels, see `Modality.train_view`."""
    return encoder.modality.train_view(encoder.preprocessor, crops)


def _given(section):
    return {key: value for key, value in section.items() if value is not None}
