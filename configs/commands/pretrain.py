"""Pretrains an encoder on unlabelled data.

    byol_tf pretrain DATA RUN
    byol_tf pretrain RUN --config=quickstart

Without `--config`, the kind of data chooses the recipe: photos, speech, text or
histories. Writes a run folder with a report, and prints a table that compares
the encoder before and after training. Run the same command, or give RUN alone,
to continue an interrupted run; add `--config.epochs=200` to train longer.
`--stop-after=2h` saves and stops after that time. The values below are those of
configs/base.py; recipes change some.
"""

import functools
import os
import shlex
import sys

from absl import flags
from ml_collections import config_flags

from configs import (
    base,
    command_line,
    data_argument,
    door,
    kinds,
    presets,
    signals,
)

POSITIONAL = (("workdir",), ("data", "workdir"))
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration file; see configs/.", lock_config=True
)
_DATA = flags.DEFINE_string(
    "data", None, "Folder, .csv or .npz file, or tfds:NAME: sets config.data."
)
_MODALITY = flags.DEFINE_string(
    "modality",
    None,
    "Kind of data: image, audio, text, history or module:object; default: "
    "by the files.",
)
_MINUTES = flags.DEFINE_float(
    "minutes", None, "Minutes of training, in place of config.epochs.", 0
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Run folder.", required=True)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    None,
    ["auto", "one", "mirrored", "multi_worker", "tpu"],
    "Devices to use this time, in place of config.strategy.",
)
_ACCEPT = flags.DEFINE_bool(
    "accept_changes", False, "Continue although settings or data have changed."
)
_STOP_AFTER = flags.DEFINE_string(
    "stop_after", None, "Save and stop after this time: 45s, 90m, 2h."
)
_CHANGE = flags.DEFINE_multi_string(
    door.CHANGE,
    [],
    "Change a field of an existing run, as --config.epochs=200 does.",
)


def expand(arguments):
    given = data_argument.given_flags(arguments)
    alone = given.get("workdir") and not given.keys() & {"data", "config"}
    if alone:
        run = given["workdir"]
        command = f"byol_tf pretrain {shlex.quote(run)} RUN"
        data_argument.refuse_data(run, command)
    return door.changes(data_argument.expanded(arguments))


def main():
    door.check_start(_CONFIG.value, _WORKDIR.value, _CHANGE.value)
    stop_after = door.seconds("stop_after", _STOP_AFTER.value)
    with signals.importing(stop=True):
        from byol_tf.jobs.convert import conversion
        from byol_tf.jobs.pretrain.program import run_config_in
        from byol_tf.runs.config import config_of_run
        from byol_tf.runtime import share_cores
        from byol_tf.training.signals import Stopped, stop_at_once

    try:
        with stop_at_once():
            if "TF_NUM_INTRAOP_THREADS" not in os.environ:
                share_cores()
            run = functools.partial(
                run_config_in,
                strategy=_STRATEGY.value,
                accept_changes=_ACCEPT.value,
                stop_after=stop_after,
                official=conversion.read_encoder,
            )
            train(run, config_of_run)
    except Stopped as stopped:
        print(f"\n{stopped}", flush=True)
        sys.exit(stopped.status)


def train(run, config_of_run):
    workdir, config = _WORKDIR.value, _CONFIG.value
    if _CHANGE.value:
        kept = config_of_run(None, workdir, base.get_config())
        config = command_line.changed(kept, _CHANGE.value)
    if config is not None:
        presets.check(config, sys.argv)
        kinds.check_fields(config.modality, sys.argv)
    job, result = run(config, workdir, base.get_config())
    if not job.distribution.is_chief:
        return
    print()
    print(job.table(result))
    print(f"\nEncoder: {workdir}/encoder.keras")
    print(f"Report:  {workdir}/report.html")
