"""Finds sounds that are too short for their targets."""

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import LENGTH
from byol_tf.jobs.finetune.run import subset
from byol_tf.lines import plural, some
from byol_tf.runs.encoder import Encoder
from byol_tf.tasks.task import Labelled, Task

_BATCH = 64


def long_enough(train: Labelled, task: Task, encoder: Encoder) -> Labelled:
    """Leaves out rows that are too short for their targets, see `Task.fits`.

    Prints them in one line. Raises a ValueError if none is left.
    """
    (level,) = task.consumes(encoder.levels)
    samples = row_lengths(train.examples)
    steps = encoder.preprocessor.steps(samples)
    steps = -(-steps // encoder.levels[level])
    targets = task.targets(train)
    is_good = task.fits(targets, steps) | ~task.known(targets)
    too_short = np.flatnonzero(~is_good)
    if not len(too_short):
        return train
    paths = train.examples.paths
    names = [paths[row] if paths else f"row {row}" for row in too_short]
    noun = encoder.noun
    line = (
        f"{len(too_short)} {plural(noun)} are too short for their labels, "
        f"{steps[too_short].min()} to {steps[too_short].max()} steps: "
        f"{some(names)}"
    )
    if len(too_short) == len(is_good):
        raise ValueError(
            f"all {line}; check that each {noun} belongs to its label"
        )
    print(f"Left out: {line}.")
    return subset(train, np.flatnonzero(is_good))


def row_lengths(examples: Examples) -> np.ndarray:
    """Returns the length of the free axis of each row, int64 `[n]`."""
    if not examples.encoded and hasattr(examples.rows, "lengths"):
        return examples.rows.lengths
    lengths = []
    for start in range(0, examples.num_examples, _BATCH):
        stop = min(start + _BATCH, examples.num_examples)
        batch = examples.take(np.arange(start, stop))
        if isinstance(batch, dict):
            lengths.append(batch[LENGTH])
        else:
            lengths.append(np.full(len(batch), batch.shape[1]))
    return np.concatenate(lengths).astype(np.int64)
