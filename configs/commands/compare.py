"""Compares trainings: variants or a grid of settings, with several seeds.

    byol_tf compare RUNS --config=compare:objectives
    byol_tf compare DATA RUNS --config.common='("epochs=20",)'

Each training is a process with its own run folder below RUNS. If interrupted,
run the same command again to continue; finished trainings are kept. At the end
it writes one table and one picture: `compare.html`, `.md`, `.csv`, `.json` and
`.png`.
"""

from absl import flags
from ml_collections import config_flags

from configs import base, command_line, compare, data_argument
from configs.signals import importing

POSITIONAL = (("workdir",), ("data", "workdir"))
DEFAULT_CONFIG = "compare.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/compare.py, the default."
)
_DATA = flags.DEFINE_string(
    "data", None, "Data of all trainings: folder, .csv, .npz or tfds:NAME."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the comparison.", required=True
)


def expand(arguments):
    return data_argument.check_runs(arguments, "byol_tf compare")


def main():
    data_argument.give_data(_CONFIG.value, _DATA.value)
    command_line.check_file(_CONFIG.value.base)
    compare.leave_out_others(_CONFIG.value)
    with importing():
        from byol_tf.jobs.compare import build, results, run

    job = build.comparison(
        _CONFIG.value,
        _WORKDIR.value,
        load=command_line.load,
        train=command_line.command("pretrain"),
        defaults=base.get_config(),
    )
    result = job.run(_WORKDIR.value)
    print()
    print(results.table(result))
    print(f"\nPage: {_WORKDIR.value}/compare.html")
    failed = run.failures(result)
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(job.runs)} runs failed; their output is "
            f"in output.log of their folders, and the same command tries them "
            f"again. The first: {failed[0]}"
        )
