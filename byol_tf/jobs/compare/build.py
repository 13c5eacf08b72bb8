"""Builds comparisons from configurations."""

import pathlib
import pprint
from collections.abc import Callable, Sequence

from byol_tf.checks import in_section
from byol_tf.jobs.compare.plan import plan as planned_runs
from byol_tf.jobs.compare.run import Comparison
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain import plan
from byol_tf.jobs.processes import train_command
from byol_tf.runs.config import config_of_run

_ADVICE = "set them as they were, or choose another --workdir"


@in_section()
def comparison(
    config, workdir, *, load: Callable, train: Sequence[str], defaults
) -> Comparison:
    """Builds the comparison of a configuration, and checks every run.

    Args:
        config: configuration of the comparison, see `configs/compare.py`.
        workdir: its folder.
        load: returns the configuration of a run for a path and overrides.
        train: program and arguments that run a training.
        defaults: a run's configuration with every field.

    Raises:
        ValueError: if a field is unknown or has an impossible value, or if a
            folder holds another run; names the run. One line.
    """
    runs = planned_runs(
        config.variants, config.grid, config.seeds, config.common
    )
    for run in runs:
        try:
            run_config = load(config.base, run.overrides)
            builders.check(plan.stand_in(run_config))
            folder = pathlib.Path(workdir) / run.folder
            plan.close(run_config, folder)
            config_of_run(run_config, folder, defaults, advice=_ADVICE)
        except ValueError as error:
            raise ValueError(f"{run.name}: {error}") from error
    return Comparison(
        runs,
        train_command(train, config.base),
        workers=config.workers,
        config_text=pprint.pformat(config.to_dict(), sort_dicts=False),
    )
