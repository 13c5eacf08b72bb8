"""Searches the settings of a training: each trial is a training.

    byol_tf tune RUNS --config.trials=20
    byol_tf tune DATA RUNS

Needs `pip install "byol-tf[tune]"`. Each trial has a run folder of its own
below RUNS. Interrupted, the same command goes on; with more
`--config.trials` it adds to what is there. Ends with a table, `tune.html` and

    byol_tf pretrain RUN --config=RUNS/best_config.py

`--measure=RUN` tells how good one encoder is without labels.
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
    "data", None, "Of all trainings: a folder, .csv or .npz file, tfds:NAME."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the search.")
_MEASURE = flags.DEFINE_string(
    "measure", None, "Run folder to measure without labels; nothing else."
)


def expand(arguments):
    return data_argument.check_runs(arguments, "byol_tf tune")


def main():
    data_argument.give_data(_CONFIG.value, _DATA.value)
    if _MEASURE.value:
        return measure(_MEASURE.value)
    if not _WORKDIR.value:
        raise ValueError("say where: --workdir, or --measure=RUN_FOLDER")
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
