"""Finds sounds that are too short for their targets."""

import numpy as np

from byol_tf.data.examples import Examples
from byol_tf.data.rows import LENGTH
from byol_tf.jobs.finetune.run import subset
from byol_tf.lines import plural, some
from byol_tf.runs.encoder import Encoder
from byol_tf.tasks.task import Labelled, Task

_AT_A_TIME = 64


def long_enough(train: Labelled, task: Task, encoder: Encoder) -> Labelled:
    """Leaves out rows that are too short for their targets, see `Task.fits`.

    Prints them in one line. Raises a ValueError if none is left.
    """
    (level,) = task.consumes(encoder.levels)
    samples = row_lengths(train.examples)
    steps = encoder.preprocessor.steps(samples)
    steps = -(-steps // encoder.levels[level])
    targets = task.targets(train)
    good = task.fits(targets, steps) | ~task.known(targets)
    bad = np.flatnonzero(~good)
    if not len(bad):
        return train
    paths = train.examples.paths
    names = [paths[row] if paths else f"row {row}" for row in bad]
    noun = encoder.noun
    line = (
        f"{len(bad)} {plural(noun)} are too short for their labels, "
        f"{steps[bad].min()} to {steps[bad].max()} steps: {some(names)}"
    )
    if len(bad) == len(good):
        raise ValueError(
            f"all {line}; check that each {noun} belongs to its label"
        )
    print(f"Left out: {line}.")
    return subset(train, np.flatnonzero(good))


def row_lengths(examples: Examples) -> np.ndarray:
    """Returns the length of the free axis of each row, int64 `[n]`."""
    if not examples.encoded and hasattr(examples.rows, "lengths"):
        return examples.rows.lengths
    lengths = []
    for start in range(0, examples.num_examples, _AT_A_TIME):
        stop = min(start + _AT_A_TIME, examples.num_examples)
        batch = examples.take(np.arange(start, stop))
        if isinstance(batch, dict):
            lengths.append(batch[LENGTH])
        else:
            lengths.append(np.full(len(batch), batch.shape[1]))
    return np.concatenate(lengths).astype(np.int64)
