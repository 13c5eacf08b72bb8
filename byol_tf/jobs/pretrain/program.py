"""Pretraining from a configuration to its folder, for commands and programs."""

import importlib
import os
from collections.abc import Mapping

from byol_tf.jobs.pretrain import build
from byol_tf.jobs.pretrain.run import Pretraining
from byol_tf.jobs.recipes import configs
from byol_tf.runs import config as run_config
from byol_tf.runs import identity
from byol_tf.runs.encoder import Encoder, load_encoder

Path = str | os.PathLike


def pretrain(
    data: Path,
    run: Path,
    *,
    config: str = "",
    minutes: float | None = None,
    fields: Mapping[str, object] | None = None,
    **options,
) -> Encoder:
    """Pretrains an encoder, as `byol_tf pretrain DATA RUN` does.

    A run that is there already goes on.

    Args:
        data: folder of files, `.csv` file that names them, `.npz` file of
            arrays, or "tfds:NAME".
        run: folder that gets encoder, numbers and report.
        config: name of a recipe, or a file; "": what suits the files.
        minutes: of training; None for what the recipe says.
        fields: values of other fields, such as `{"augment.size": 96}`, or
            `{"encoder.weights": "official.pkl"}`.
        **options: of `run_config_in`: `strategy`, `accept_changes`,
            `stop_after`, `official`, and `callbacks` of one's own, see
            `docs/guides/tracking.md`.

    Returns:
        The encoder, see `load_encoder`.

    Raises:
        ValueError: in one line, for a wrong field or unsuitable data.
    """
    words = [f"--data={os.fspath(data)}"]
    words += [f"--config={config}"] if config else []
    words += [] if minutes is None else [f"--minutes={minutes}"]
    words += [
        f"--config.{key}={value}" for key, value in (fields or {}).items()
    ]
    section, defaults = _configuration(words)
    job, result = run_config_in(section, run, defaults, **options)
    if job.distribution.is_chief:
        print(job.table(result))
    return load_encoder(run)


def _configuration(words):
    """What the flags of a command say, and a configuration of every field."""
    with configs():
        command_line, data_argument, base = (
            importlib.import_module(f"configs.{name}")
            for name in ("command_line", "data_argument", "base")
        )
        words = data_argument.expanded(words)
        start = "--config."
        fields = [w.removeprefix(start) for w in words if w.startswith(start)]
        (recipe,) = (w for w in words if w.startswith("--config="))
        recipe = recipe.removeprefix("--config=")
        return command_line.load(recipe, fields), base.get_config()


def run_config_in(
    config,
    workdir: Path,
    defaults,
    *,
    strategy: str | None = None,
    accept_changes: bool = False,
    **options,
) -> tuple[Pretraining, dict]:
    """Runs a configuration in a folder, or goes on with the run that is there.

    Args:
        config: of the run; None for that of the folder.
        workdir: the run folder.
        defaults: a configuration with every field.
        strategy: devices, in place of those of `config`.
        accept_changes: go on though settings or data have changed.
        **options: of `build.pretraining`.

    Returns:
        The run, and what `Pretraining.run` gives.

    Raises:
        ValueError: in one line, for a wrong field or unsuitable data.
    """
    if config is not None:
        build.plan.close(config, workdir)
    config = run_config.config_of_run(
        *(config, workdir, defaults),
        accept=("*",) if accept_changes else identity.FREE,
    )
    with build.owned(config, workdir, strategy):
        job = build.planned(config, workdir, strategy, **options)
        job.accept_changes = accept_changes
        if job.distribution.is_chief:
            run_config.save_config(config, workdir)
        return job, job.run(workdir)
