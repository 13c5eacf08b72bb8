"""Judges a pretrained encoder by what a linear classifier makes of it.

    python eval_linear.py --workdir=runs/quickstart

The encoder stays frozen. Linear SGD on random crops (the paper's protocol),
logistic regression and kNN choose their settings on a held-out part of the
training images and are then tested once; a random encoder and raw pixels
stand beside. `--config.data.*` takes any other labelled data set. Writes
`eval_linear.json` and `eval_linear_confusion.png` into the run folder.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from byol_tf.cli import run_script
from byol_tf.jobs.evaluate import build as evaluation_builders
from byol_tf.jobs.evaluate import results as linear_results
from configs import base

_DEFAULTS = pathlib.Path(__file__).parent / "configs" / "eval_linear.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/eval_linear.py, the default."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)


def main():
    config, workdir = _CONFIG.value, _WORKDIR.value
    job = evaluation_builders.linear_evaluation(
        config, workdir, base.get_config()
    )
    name = evaluation_builders.linear_evaluation_name(config)
    result = job.run(workdir, name)
    print()
    print(linear_results.table(result))
    print(f"\nNumbers: {workdir}/{name}.json")
    print(f"Errors:  {workdir}/{name}_confusion.png")


if __name__ == "__main__":
    run_script(main, str(_DEFAULTS))
