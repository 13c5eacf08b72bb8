"""Pretraining from a program or a notebook, in one call."""

import importlib
import os
from collections.abc import Mapping

from byol_tf.jobs.pretrain import build
from byol_tf.jobs.recipes import configs
from byol_tf.runs import config as run_config
from byol_tf.runs import identity
from byol_tf.runs.encoder import Encoder, load_encoder

Path = str | os.PathLike


def pretrain(
    data: Path,
    run: Path,
    *,
    config: str = "photos",
    minutes: float | None = None,
    fields: Mapping[str, object] | None = None,
) -> Encoder:
    """Pretrains an encoder, as `byol_tf pretrain DATA RUN` does.

    A run that is there already goes on.

    Args:
        data: folder of files, `.npz` file of arrays, or "tfds:NAME".
        run: folder that gets encoder, numbers and report.
        config: name of a recipe, or a file.
        minutes: of training; None for what the recipe says.
        fields: values of other fields, such as `{"augment.size": 96}`.

    Returns:
        The encoder, see `load_encoder`.

    Raises:
        ValueError: in one line, for a wrong field or unsuitable data.
    """
    configs()
    command_line, data_argument, presets, base = (
        importlib.import_module(f"configs.{name}")
        for name in ("command_line", "data_argument", "presets", "base")
    )
    words = [f"--data={os.fspath(data)}"]
    words += [] if minutes is None else [f"--minutes={minutes}"]
    words += [
        f"--config.{key}={value}" for key, value in (fields or {}).items()
    ]
    words = data_argument.with_minutes(data_argument.with_overrides(words))
    words = presets.with_preset(words)
    prefix = "--config."
    overrides = [w.removeprefix(prefix) for w in words if w.startswith(prefix)]
    section = command_line.load(config, overrides)
    build.plan.close(section, run)
    section = run_config.config_of_run(
        section, run, base.get_config(), accept=identity.FREE
    )
    with build.owned(section, run):
        job = build.planned(section, run)
        run_config.save_config(section, run)
        result = job.run(run)
    print(job.table(result))
    return load_encoder(run)
