"""Pretraining from a configuration to a folder, for commands and programs."""

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

    Continues the run if the folder already holds one.

    Args:
        data: folder of files, `.csv` file that names them, `.npz` file of
            arrays, or "tfds:NAME".
        run: folder for encoder, metrics and report.
        config: name of a recipe, or a file; "": by the kind of files.
        minutes: training time in minutes; None: as in the recipe.
        fields: values of other fields, such as `{"augment.size": 96}` or
            `{"encoder.weights": "official.pkl"}`.
        **options: arguments of `run_config_in`: `strategy`, `accept_changes`,
            `stop_after`, `official`, and your own `callbacks`, see
            `docs/guides/tracking.md`.

    Returns:
        The encoder, as by `load_encoder`.

    Raises:
        ValueError: for a wrong field or unsuitable data. One line.
    """
    run = os.path.expanduser(run)  # as of the data
    flags = [f"--data={os.fspath(data)}"]
    flags += [f"--config={config}"] if config else []
    flags += [] if minutes is None else [f"--minutes={minutes}"]
    flags += [
        f"--config.{key}={value}" for key, value in (fields or {}).items()
    ]
    section, defaults = _configuration(flags)
    job, result = run_config_in(section, run, defaults, **options)
    if job.distribution.is_chief:
        print(job.table(result))
    return load_encoder(run)


def _configuration(flags):
    """Returns the configuration for a command's flags, and the defaults."""
    with configs():
        command_line, data_argument, base = (
            importlib.import_module(f"configs.{name}")
            for name in ("command_line", "data_argument", "base")
        )
        flags = data_argument.expanded(flags)
        prefix = "--config."
        fields = [
            flag.removeprefix(prefix)
            for flag in flags
            if flag.startswith(prefix)
        ]
        (recipe,) = (flag for flag in flags if flag.startswith("--config="))
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
    """Runs a configuration in a folder, or continues the run there.

    Args:
        config: configuration of the run; None: that of the folder.
        workdir: the run folder.
        defaults: a configuration with every field.
        strategy: devices to use, in place of those of `config`.
        accept_changes: whether to continue although settings or data have
            changed.
        **options: arguments of `build.pretraining`.

    Returns:
        The run, and the result of `Pretraining.run`.

    Raises:
        ValueError: for a wrong field or unsuitable data. One line.
    """
    # Without a configuration, a plan is left of a start that failed.
    if config is not None and run_config.read_values(workdir):
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
