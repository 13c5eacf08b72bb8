"""Searches for good settings; each trial is a training.

    byol_tf tune RUNS --config.trials=20
    byol_tf tune DATA RUNS

Needs `pip install "byol-tf[tune]"`. Each trial has its own run folder below
RUNS. If interrupted, run the same command again to continue; with a larger
`--config.trials` it adds trials. At the end it prints a table and writes
`tune.html` and the best settings, for

    byol_tf pretrain RUN --config=RUNS/best_config.py

`--measure=RUN` measures the quality of one encoder without labels.
"""

import sys

from absl import flags
from ml_collections import config_flags

from configs import base, command_line, data_argument, door, signals

POSITIONAL = (("workdir",), ("data", "workdir"))
DEFAULT_CONFIG = "tune.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/tune.py, the default."
)
_DATA = flags.DEFINE_string(
    "data", None, "Data of all trainings: folder, .csv, .npz or tfds:NAME."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the search.")
_MEASURE = flags.DEFINE_string(
    "measure", None, "Run folder to measure without labels, and no search."
)


def expand(arguments):
    return data_argument.check_runs(arguments, "byol_tf tune")


def main():
    data_argument.give_data(_CONFIG.value, _DATA.value)
    if _MEASURE.value:
        return measure(_MEASURE.value)
    if not _WORKDIR.value:
        raise ValueError("give --workdir, or --measure=RUN_FOLDER")
    command_line.check_file(_CONFIG.value.base)
    with signals.importing():
        from byol_tf.jobs.tune import build, results

    job = build.search(
        _CONFIG.value,
        _WORKDIR.value,
        load=command_line.load,
        train=command_line.command("pretrain"),
        measure=_measure_command,
    )
    result = job.run(_WORKDIR.value)
    print()
    print(results.table(result))
    print(f"\nPage: {_WORKDIR.value}/tune.html")
    print(f"Best: {_WORKDIR.value}/best_config.py")


def measure(folder):
    door.check_encoder(folder)
    door.check_data({}, folder)
    with signals.importing():
        from byol_tf.jobs.tune import build

    numbers = build.measure_label_free(
        _CONFIG.value,
        folder,
        load=command_line.load,
        defaults=base.get_config(),
    )
    for name, value in numbers.items():
        print(f"{name:14}  {value:8.3f}")


def _measure_command(folder):
    arguments = [*sys.argv[1:], f"--measure={folder}"]
    return [*command_line.command("tune"), *arguments]
