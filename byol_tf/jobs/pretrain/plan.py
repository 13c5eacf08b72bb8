"""What a recipe leaves open, decided once before a run begins."""

import contextlib
import math
import pathlib
import shlex
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.data.order import steps_per_epoch
from byol_tf.files import read_json, write_json
from byol_tf.jobs.pretrain.run import Pretraining
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.config import as_tuple, flatten, read_values
from byol_tf.runs.identity import changes

PLAN = "plan.json"  # in the run folder: what was decided, in lines
WARM, TIMED = 3, 20  # steps before those that are timed; those
_LENGTH = {"epochs": 100}  # that workers may be given


def is_open(config) -> bool:
    """Whether something is left to decide: a time, a size, an encoder."""
    auto = config.encoder.name == "auto" or config.minutes > 0
    return auto or not config.epochs or not config.batch_size


def stand_in(config):
    """Returns a copy with a number where it is open, to check the others by."""
    copy = config.copy_and_resolve_references()
    with _open(copy):
        copy.epochs, copy.batch_size = copy.epochs or 1, copy.batch_size or 256
    return copy


def decide(
    config,
    workdir,
    load: Callable[[], tuple[Examples, Examples]],
    build: Callable[[tuple], Pretraining],
    alone: bool = True,
) -> tuple[Examples, Examples] | None:
    """Decides the open fields of a new run, in its configuration.

    A run that is there keeps what was decided when it began.

    Args:
        config: of the run; changed in place.
        workdir: its folder.
        load: loads training and test examples.
        build: makes the run of them, to time its steps.
        alone: whether no other worker trains along, which would decide for
            itself.

    Returns:
        The examples for `build`; None if they were not needed. What was
        decided, and why, is in lines in `plan.json`.

    Raises:
        ValueError: nothing says how long the run is to be, or something is
            open for several workers.
    """
    if read_values(workdir) or not is_open(config):
        return None
    if not config.epochs and not config.minutes > 0:
        raise ValueError(
            "epochs=0 leaves the length open; give minutes (--minutes=60) or "
            "epochs (--config.epochs=100)"
        )
    examples = load()
    before = flatten(config.to_dict())
    fields, why = load_modality(config.modality).plan(
        config, examples[0], _accelerator()
    )
    if not alone:
        _check_nothing_open(fields if config.epochs else {**fields, **_LENGTH})
    with _open(config):
        config.update_from_flattened_dict(fields)
        if not config.epochs:
            config.epochs = 1
            seconds = seconds_per_step(build(examples))
            why.append(_set_epochs(config, examples[0].num_examples, seconds))
    after = flatten(config.to_dict())
    decided = {key: after[key] for key in changes(before, after)}
    opened = {key: before[key] for key in decided}
    about = {"lines": why, "decided": decided, "open": opened}
    write_json(pathlib.Path(workdir) / PLAN, about)
    return examples


def close(config, workdir) -> None:
    """Takes over what was decided when a run began, where it is still open.

    So that the command which began a run goes on with it, too.
    """
    about = _read(workdir)
    opened = about.get("open", {})
    values = flatten(config.to_dict())
    given = changes(opened, {key: values[key] for key in opened})
    with _open(config):
        for key in opened.keys() - given.keys():
            value = as_tuple(about["decided"][key])
            config.update_from_flattened_dict({key: value})


def lines(workdir) -> list[str]:
    """Returns what was decided for a run, in lines; [] if nothing was."""
    return _read(workdir).get("lines", [])


def _read(workdir):
    path = pathlib.Path(workdir) / PLAN
    return read_json(path) if path.is_file() else {}


def _check_nothing_open(fields):
    given = " ".join(
        shlex.quote(f"--config.{name}={value}".replace(" ", ""))
        for name, value in fields.items()
    )
    if given:
        raise ValueError(
            "several workers cannot decide together what the recipe leaves "
            f"open; give it to all of them, such as {given}"
        )


def seconds_per_step(job: Pretraining) -> float:
    """Times steps of a run after they are compiled; its model is used up."""
    settings = job.settings
    step = job.distribution.step_function(
        job.model.pretrain_step, settings.jit_compile
    )
    batches = _forever(job)
    times = []
    for _ in range(WARM + TIMED):
        batch = next(batches)
        logs = step(*batch)
        float(logs["loss"])  # waits for the step
        times.append(time.monotonic())
    return float(np.mean(np.diff(times)[WARM - 1 :]))


def _forever(job):
    while True:
        yield from job.batches(0)


def _set_epochs(config, count, seconds):
    steps = steps_per_epoch(count, config.batch_size)
    epochs = max(1, math.floor(60 * config.minutes / (seconds * steps)))
    config.epochs = epochs
    return (
        f"Length: {epochs} epochs, since {TIMED} steps took {seconds:.3f} s "
        f"each and {config.minutes:g} minutes of training were given."
    )


def _accelerator():
    # Not the logical ones: after those, workers cannot be joined.
    kinds = ("GPU", "TPU")
    return any(tf.config.list_physical_devices(kind) for kind in kinds)


@contextlib.contextmanager
def _open(config):
    with config.unlocked(), config.ignore_type():
        yield
