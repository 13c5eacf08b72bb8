"""The length of a run, and numbers that depend on it."""

import pathlib

from byol_tf.data.order import steps_per_epoch
from byol_tf.runs.config import read_values
from byol_tf.training.checkpoints import CheckpointStore

WARMUP_SHARE = 0.25  # of a run too short for its warm-up


def warmup_epochs(config) -> float:
    """Returns warm-up epochs: as configured, or a quarter of a shorter run."""
    warmup, epochs = config.optimizer.warmup_epochs, config.epochs
    return warmup if warmup < epochs else WARMUP_SHARE * epochs


def updates(config, examples: int, batch_size: int) -> int:
    """Returns the updates of a run, `accumulate_steps` batches each.

    Raises:
        ValueError: if there are none.
    """
    steps = config.epochs * steps_per_epoch(examples, batch_size)
    batches_per_update = config.optimizer.accumulate_steps
    if steps < batches_per_update:
        raise ValueError(
            f"epochs={config.epochs} of {examples} examples give {steps} "
            f"batches of {batch_size}, fewer than the {batches_per_update} of "
            "one update; lower optimizer.accumulate_steps, or choose more "
            "epochs"
        )
    return steps // batches_per_update


def notes(config, workdir) -> list[str]:
    """Returns lines on what differs from the configuration or run folder."""
    lines = []
    warmup, epochs = config.optimizer.warmup_epochs, config.epochs
    if warmup >= epochs:
        lines.append(
            f"Warm-up: {warmup_epochs(config):g} epochs, a quarter of the run, "
            f"since optimizer.warmup_epochs={warmup:g} is not below "
            f"epochs={epochs}."
        )
    old_epochs = read_values(workdir).get("epochs", epochs)
    if old_epochs != epochs:
        lines.append(
            f"Length: {epochs} epochs, {old_epochs} before; learning rate, "
            f"tau and warm-up follow those of {epochs} from here on."
        )
    return lines


def check_steps(workdir, model, total_steps: int) -> None:
    """Raises a ValueError if a run folder is beyond the end of its run."""
    folder = pathlib.Path(workdir) / "checkpoints"
    steps = CheckpointStore(folder, model).steps()
    if steps and steps[-1] > total_steps:
        raise ValueError(
            f"{workdir} has made {steps[-1]} steps already, and these epochs "
            f"end at {total_steps}; choose more epochs, or another --workdir"
        )
