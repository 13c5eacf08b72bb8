"""Fine-tunes a pretrained encoder on parts of the labels, and predicts.

    python finetune.py --workdir=runs/quickstart --labels=10-per-class,10%

Beside the fine-tuned encoder stand the frozen one and one that starts from
scratch, with the same images and steps. `--task=` takes classification,
multilabel, regression, keypoints, or `module:Class` of one's own;
`--config.data.*` any other data set. Writes `finetune.json`, `finetune.png`,
`finetune_subsets.json` and `classifier.keras` into the run folder; then

    python finetune.py --workdir=runs/quickstart --predict=DIR

writes `predictions.csv` for all images of a folder.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from configs import base, door

_DEFAULTS = pathlib.Path(__file__).parent / "configs" / "finetune.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/finetune.py, the default."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)
_TASK = flags.DEFINE_string(
    "task", "classification", "What is learned of an image."
)
_LABELS = flags.DEFINE_multi_string(
    "labels",
    ["1%,10%,100%"],
    "Parts of the labels: 1%, 0.5%, 25-per-class, all; several with commas.",
)
_PREDICT = flags.DEFINE_string(
    "predict", None, "Folder of images to predict with what was fine-tuned."
)


def main():
    config, workdir, task = _CONFIG.value, _WORKDIR.value, _TASK.value
    if _PREDICT.value is not None:
        return predict(config, workdir, task)
    door.check_encoder(workdir)
    door.check_data(config.data, workdir)
    with door.importing():
        from byol_tf.jobs.finetune import build, results

    job = build.fine_tuning(
        config, workdir, base.get_config(), task=task, labels=_LABELS.value
    )
    name, classifier = build.fine_tuning_names(config, task)
    result = job.run(workdir, name, classifier)
    print()
    print(results.table(result))
    print(f"\nNumbers: {workdir}/{name}.json")
    print(f"Picture: {workdir}/{name}.png")
    print(f"Model:   {workdir}/{classifier}.keras")


def predict(config, workdir, task):
    door.check_classifier(workdir)
    door.check_folder(_PREDICT.value)
    with door.importing():
        from byol_tf.jobs.finetune import build

    done = build.predicted(config, workdir, _PREDICT.value, task=task)
    print(f"Predicted {done.images - len(done.unread)} images: {done.path}")
    if done.unread:
        path, reason = done.unread[0]
        count = len(done.unread)
        print(f"Could not read {count} of them; the first, {path}: {reason}")


if __name__ == "__main__":
    door.run_script(main, str(_DEFAULTS))
