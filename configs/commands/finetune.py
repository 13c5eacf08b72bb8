"""Fine-tunes a pretrained encoder on parts of the labels.

    byol_tf finetune RUN --labels=10-per-class,10%

Compares the fine-tuned encoder with the frozen one and with training from
scratch, on the same data for the same steps. `--task=` takes classification,
multilabel, regression, detection, keypoints, transcription (of sounds), or your
own `module:Class`. `--data=DIR` names another dataset; for detection DIR has
boxes in COCO's, YOLO's or Pascal VOC's layout, for keypoints `train.csv`.
Writes `finetune.json`, `finetune.png`, `finetune_subsets.json` and
`classifier.keras` into the run folder. If interrupted, run the same command
again: finished trainings are kept. Then

    byol_tf predict RUN DIR

writes `predictions.csv` for all files of a folder. Results of an earlier task
or dataset are kept as `finetune_<task>_<data>.json` and so on.
"""

from absl import flags
from ml_collections import config_flags

from configs import (
    base,
    data_argument,
    door,
    finetune,
    objects,
    signals,
    transcripts,
    words,
)
from configs.command_line import FOLDER
from configs.commands import predicting

POSITIONAL = (("workdir",),)
DEFAULT_CONFIG = "finetune.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Configuration; default: configs/finetune.py; objects.py for boxes and "
    "points, transcripts.py for transcription.",
)
_DATA = flags.DEFINE_string(
    "data", None, "Other data: a folder, .csv or .npz file, or tfds:NAME."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras.", required=True
)
_TASK = flags.DEFINE_string(
    "task", "classification", "What to predict; a task or module:Class."
)
_LABELS = flags.DEFINE_multi_string(
    "labels",
    ["1%,10%,100%"],
    "Parts of the labels: 1%, 25-per-class, 100, all; separated by commas.",
)
_GROUPS = flags.DEFINE_string(
    "groups",
    None,
    "Column of labels.csv, such as speaker; test on values not trained on.",
)
_PREDICT = flags.DEFINE_string(
    "predict", None, "Folder to predict; the same as `byol_tf predict`."
)


def expand(arguments):
    """Adds the fields of `--data`, and the task's default configuration."""
    words = " ".join(arguments).replace("--task ", "--task=").split()
    given = any(word.startswith("--config=") for word in arguments)
    spoken = "--task=transcription" in words
    dense = {"--task=detection", "--task=keypoints"} & set(words)
    if not given:
        recipe = finetune
        if dense and "--config.task.head=vector" not in words:
            recipe = objects
            arguments = [f"--config={FOLDER / 'objects.py'}", *arguments]
        if spoken:
            recipe = transcripts
            arguments = [f"--config={FOLDER / 'transcripts.py'}", *arguments]
        arguments = [*arguments, *_fewer_steps(arguments, recipe.get_config())]
    return data_argument.with_overrides(arguments)


def _fewer_steps(arguments, defaults):
    """Lowers min_steps in proportion if only fewer epochs are given."""
    flags = data_argument.given_flags(arguments)
    epochs = flags.get("config.epochs", "")
    if not epochs.isdecimal() or "config.min_steps" in flags:
        return []
    share = int(epochs) / defaults.epochs
    if share >= 1:
        return []
    steps = max(1, round(defaults.min_steps * share))
    print(
        f"Steps: {steps} at least for {epochs} epochs, not "
        f"{defaults.min_steps} (--config.min_steps)."
    )
    return [f"--config.min_steps={steps}"]


def main():
    config, workdir, task = _CONFIG.value, _WORKDIR.value, _TASK.value
    if _PREDICT.value is not None:
        chosen = task if _TASK.present else ""
        return predicting.predict(config, workdir, chosen, _PREDICT.value)
    words.check_task(task)
    words.check_labels(_LABELS.value)
    door.check_encoder(workdir)
    door.check_data(config.data, workdir, door.GIVE_DATA)
    with signals.importing():
        from byol_tf.jobs.finetune import build, results
        from byol_tf.jobs.groups import parse_groups
        from byol_tf.locks import owned_folder

    with owned_folder(workdir):
        job = build.fine_tuning(
            config,
            workdir,
            base.get_config(),
            task=task,
            labels=_LABELS.value,
            groups=parse_groups(_GROUPS.value),
            skips=not _LABELS.present,
        )
        result = job.run(workdir)
    print()
    print(results.table(result))
    print(f"\nNumbers: {workdir}/finetune.json")
    print(f"Picture: {workdir}/finetune.png")
    print(f"Model:   {workdir}/classifier.keras")
