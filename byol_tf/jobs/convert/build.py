"""Converts an official checkpoint to an encoder's file or a run folder."""

import os
import pathlib

from byol_tf.files import write_json
from byol_tf.jobs.convert import architecture, conversion
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.modalities.image.centre import CentreView
from byol_tf.modalities.registry import load_modality
from byol_tf.runs import encoder as encoders
from byol_tf.runs.config import save_config

Path = str | os.PathLike


def convert_file(
    source: Path,
    to: Path,
    *,
    encoder: str = "auto",
    width: float = 0,
    vectors: Path | None = None,
    tolerance: float = 1e-4,
) -> dict:
    """Converts an official checkpoint to an encoder's file.

    Args:
        source: the checkpoint.
        to: the `.keras` file; its description is written to a `.json` beside
            it.
        encoder: expected name; "auto": any.
        width: expected multiple of the usual channels; 0: any.
        vectors: see `conversion.verify`; None: no such comparison.
        tolerance: relative tolerance of that comparison.

    Returns:
        See `conversion.summary`, with the measured differences.

    Raises:
        ValueError: if anything is wrong; no file is then written. One line.
    """
    summary = pathlib.Path(to).with_suffix(".json")
    refuse_existing(to)
    refuse_existing(summary)
    converted = conversion.convert(source, encoder, width)
    differences = {}
    if vectors is not None:
        differences["recorded"] = conversion.verify(
            converted.encoder, vectors, tolerance
        )
    differences["reloaded"] = conversion.save(converted, to)
    about = conversion.summary(converted, source, to)
    about["relative_differences"] = differences
    write_json(summary, about)
    return about | {"file": str(to)}


def convert_run(source: Path, workdir: Path, defaults, **options) -> dict:
    """Makes a run folder from an official checkpoint, as if trained in it.

    Args:
        source: the checkpoint.
        workdir: folder without a run.
        defaults: a run's configuration with every field. The run has no images,
            so later commands need `--data`.
        **options: arguments of `convert_file`, which also documents results and
            errors.
    """
    refuse_existing(pathlib.Path(workdir) / "config.yaml")
    about = convert_file(
        source, pathlib.Path(workdir) / encoders.FILE, **options
    )
    _configure(defaults, about)
    config = defaults
    save_config(config, workdir)
    spec = load_modality(config.modality).decoder(config).spec
    prepare = CentreView(about["image_size"])
    encoders.save_encoder(
        None,
        workdir,
        preprocessor=prepare,
        **pretrain_build.describe(config, spec, prepare),
    )
    return about


def _configure(config, about):
    with config.unlocked():
        for field in config.encoder:
            if field in about["arguments"]:
                config.encoder[field] = about["arguments"][field]
        config.encoder.name = about["encoder"]
        config.augment.size = about["image_size"]
        config.data.source = "folder"
        config.data.test_split = ""  # held out of the folder, unless it has one
        config.data.name = ""
        config.data.image_size = architecture.STORED_SIZE
        config.data.channels = len(architecture.IMAGENET_MEAN)


def refuse_existing(path: Path) -> None:
    """Raises a ValueError if the file already exists."""
    if pathlib.Path(path).exists():
        raise ValueError(
            f"{path} exists already; choose another name, or remove it"
        )
