"""Prediction of a folder, for `byol_tf predict` and `finetune.py --predict`."""

from configs import door, signals


def predict(
    config, workdir: str, task: str, directory: str, out: str | None = None
) -> None:
    """Predicts all files of a folder, and says in lines what was written.

    Args:
        config: of a fine-tuning, see `configs/finetune.py`.
        workdir: the run folder.
        task: name of the task that was fine-tuned; "" for the latest.
        directory: the folder, or a CSV file that names files.
        out: file to write; None for predictions.csv in the run folder.
    """
    door.check_classifier(workdir)
    door.check_files_of(directory)
    with signals.importing():
        from byol_tf.jobs.finetune import build

    done = build.predicted(config, workdir, directory, task=task, out=out)
    print(f"Predicted {done.images - len(done.unread)} images: {done.path}")
    if done.unread:
        path, reason = done.unread[0]
        count = len(done.unread)
        print(f"Could not read {count} of them; the first, {path}: {reason}")
