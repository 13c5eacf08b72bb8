"""Evaluates a frozen encoder with linear classifiers and kNN.

    byol_tf evaluate RUN

Linear SGD on random views (the paper's protocol), logistic regression and kNN
choose their settings on a held-out part of the training data and are then
tested once. A random encoder and raw inputs are baselines. Use
`--config.data.*` for any other labelled dataset. Writes `eval_linear.json` and
`eval_linear_confusion.png` into the run folder.

    byol_tf evaluate RUN --groups=speaker

holds out each speaker in turn: trains on the labels of the others and tests on
this one. `speaker` is a column of `labels.csv`; `--groups=speaker:s5,s6` names
the ones to hold out.
"""

from absl import flags
from ml_collections import config_flags

from configs import base, data_argument, door, signals

POSITIONAL = (("workdir",),)
DEFAULT_CONFIG = "eval_linear.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/eval_linear.py, the default."
)
_DATA = flags.DEFINE_string(
    "data", None, "Other data: a folder, .csv or .npz file, or tfds:NAME."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)

_GROUPS = flags.DEFINE_string(
    "groups",
    None,
    "Column of labels.csv, such as speaker; test on values not trained on.",
)

expand = data_argument.with_overrides


def main():
    config, workdir = _CONFIG.value, _WORKDIR.value
    door.check_encoder(workdir)
    door.check_data(config.data, workdir, door.GIVE_DATA)
    with signals.importing():
        from byol_tf.jobs.evaluate import build, groups, results
        from byol_tf.jobs.groups import parse_groups
        from byol_tf.locks import owned_folder

    name = build.linear_evaluation_name(config)
    with owned_folder(workdir):
        job = build.linear_evaluation(config, workdir, base.get_config())
        if chosen := parse_groups(_GROUPS.value):
            result = groups.run(job, chosen, workdir, name)
            print(f"\n{groups.table(result)}")
            print(f"\nNumbers: {workdir}/{name}_{chosen.column}.json")
            return
        result = job.run(workdir, name)
    print()
    print(results.table(result))
    print(f"\nNumbers: {workdir}/{name}.json")
    print(f"Errors:  {workdir}/{name}_confusion.png")
