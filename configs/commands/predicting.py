"""Predicts a folder, for `byol_tf predict` and `finetune.py --predict`."""

import json
import os
import sys
from collections.abc import Mapping

from configs import door, signals
from configs.kinds import KINDS

STDIN = "-"
FORMATS = ("", ".csv", ".json", ".srt")  # of predictions; "": a folder


def predict(
    config,
    workdir: str,
    task: str,
    directory: str,
    out: str | None = None,
    options: Mapping | None = None,
    tiles: str = "",
    pose: str = "",
) -> None:
    """Predicts all files of a folder, and prints what was written.

    Args:
        config: configuration of a fine-tuning, see `configs/finetune.py`.
        workdir: the run folder.
        task: name of the fine-tuned task; "": the latest.
        directory: the folder, or a CSV file that names files.
        out: file to write; None: predictions.csv in the run folder.
        options: options that replace the task's own.
        tiles: grid of tiles for large images, such as "2x2".
        pose: JSON file of a 3-D model and a camera, to compute poses.
    """
    door.check_classifier(workdir)
    if directory == STDIN:
        raise ValueError(
            "standard input gives events, which are printed: leave out "
            "--out, or write the samples to a file and predict that"
        )
    if not directory.lower().endswith(".json"):
        door.check_files_of(directory)
    else:
        door.check_files("images", [directory])
    suffix = os.path.splitext(out or "")[1].lower()
    if suffix not in FORMATS and not os.path.isdir(out):
        raise ValueError(
            f"--out={out}: predictions are written as .csv, .json or .srt, not "
            f"as {suffix}"
        )
    with signals.importing():
        from byol_tf.jobs.finetune import build

    done = build.predict(
        *(config, workdir, directory),
        task=task,
        out=out,
        options=options,
        tiles=tiles,
        pose=pose,
    )
    count = done.images - len(done.unread)
    print(f"Predicted {count} {done.nouns}: {done.path}")
    if done.unread:
        path, reason = done.unread[0]
        count = len(done.unread)
        print(f"Could not read {count} of them; the first, {path}: {reason}")


def goes_on(config, workdir: str, task: str, source: str) -> bool:
    """Returns whether to print events: for stdin, or a classifier of a sound.

    Args:
        config, workdir, task: as for `predict`.
        source: "-" or the path to predict.
    """
    if source == STDIN:
        return True
    extension = os.path.splitext(source)[1].lower()
    if extension not in KINDS["audio"].extensions or not os.path.isfile(source):
        return False
    door.check_classifier(workdir)
    with signals.importing():
        from byol_tf.jobs.finetune import build
    return build.latest_task(config, workdir, task) == "classification"


def listen(config, workdir: str, task: str, source: str, **options) -> None:
    """Prints a line of JSON for each event, as soon as it has ended.

    Args:
        config, workdir, task: as for `predict`.
        source: path of a sound, or "-".
        **options: options of `jobs.finetune.listen.events`.
    """
    door.check_classifier(workdir)
    with signals.importing():
        from byol_tf.jobs.finetune import listen as listening
    given = sys.stdin.buffer if source == STDIN else source
    for event in listening.events(config, workdir, given, task=task, **options):
        print(json.dumps(event, ensure_ascii=False), flush=True)
