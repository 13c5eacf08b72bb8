"""Computes the open settings of a recipe once, before a run begins."""

import contextlib
import math
import pathlib
import shlex
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples
from byol_tf.files import read_json, write_json
from byol_tf.jobs.pretrain.run import Pretraining
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.config import as_tuple, flatten, read_values
from byol_tf.runs.identity import changes
from byol_tf.runtime import dtype_policy

PLAN = "plan.json"  # in the run folder: lines about the choices
WARM, TIMED = 3, 20  # warm-up steps, and timed steps
_LENGTH = {"epochs": 100}  # example for the error message


def is_open(config) -> bool:
    """Returns whether a setting is open: a length, a size, an encoder."""
    auto = config.encoder.name == "auto" or config.minutes > 0
    return auto or not config.epochs or not config.batch_size


def stand_in(config):
    """Returns a copy with numbers for open settings, to check the others."""
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
    """Computes the open fields of a new run, and sets them.

    An existing run keeps its values.

    Args:
        config: configuration of the run; changed in place.
        workdir: its folder.
        load: loads training and test examples.
        build: builds the run from them, to time its steps.
        alone: whether there are no other workers, which would choose for
            themselves.

    Returns:
        The examples for `build`; None if they were not needed. `plan.json`
        lists the choices and their reasons.

    Raises:
        ValueError: if nothing sets the length, or a field is open with several
            workers.
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
    fields, reasons = load_modality(config.modality).plan(
        config, examples[0], _accelerator()
    )
    if not alone:
        _check_nothing_open(fields if config.epochs else {**fields, **_LENGTH})
    reasons += _data_lines(config, *examples) if alone else []
    with _open(config):
        config.update_from_flattened_dict(fields)
        if not config.epochs:
            config.epochs = config.optimizer.accumulate_steps  # an update
            job = build(examples)
            seconds = seconds_per_step(job)
            reasons.append(_set_epochs(config, job.steps_per_epoch, seconds))
    after = flatten(config.to_dict())
    decided = {key: after[key] for key in changes(before, after)}
    open_values = {key: before[key] for key in decided}
    about = {"lines": reasons, "decided": decided, "open": open_values}
    write_json(pathlib.Path(workdir) / PLAN, about)
    return examples


def close(config, workdir) -> None:
    """Sets open fields to the values chosen when the run began.

    So the command that began a run also continues it.
    """
    about = _read(workdir)
    open_values = about.get("open", {})
    values = flatten(config.to_dict())
    overridden = changes(open_values, {key: values[key] for key in open_values})
    with _open(config):
        for key in open_values.keys() - overridden.keys():
            value = as_tuple(about["decided"][key])
            config.update_from_flattened_dict({key: value})


def lines(workdir) -> list[str]:
    """Returns lines about the choices for a run; [] if there were none."""
    return _read(workdir).get("lines", [])


def _read(workdir):
    path = pathlib.Path(workdir) / PLAN
    return read_json(path) if path.is_file() else {}


def _check_nothing_open(fields):
    flags = " ".join(
        shlex.quote(f"--config.{name}={value}".replace(" ", ""))
        for name, value in fields.items()
    )
    if flags:
        raise ValueError(
            "several workers cannot choose the open settings of the recipe "
            f"together; give them to all workers, such as {flags}"
        )


def seconds_per_step(job: Pretraining) -> float:
    """Times steps of a run after compilation; its model is used up."""
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


def _set_epochs(config, steps, seconds):
    epoch_minutes = seconds * steps / 60
    config.epochs = epochs = max(1, math.floor(config.minutes / epoch_minutes))
    least = ", the least" if epoch_minutes > config.minutes else ""
    return (
        f"Length: epochs={epochs}{least}, {epochs * epoch_minutes:.1f} minutes"
        f", since {TIMED} steps took {seconds:.3f} s each and minutes="
        f"{config.minutes:g} were given."
    )


def _data_lines(config, train, test):
    """Returns lines on what the data and the machine alone decide."""
    lines = []
    if not config.data.test_split:
        lines.append(
            f"Held out: {test.num_examples} of "
            f"{train.num_examples + test.num_examples}, to judge by, since "
            "there is no test split (data.test_split)."
        )
    if config.precision == "auto":
        lines.append(
            f"Precision: {dtype_policy('auto')}, the fastest on this machine."
        )
    return lines


def _accelerator():
    # Physical devices: listing logical ones would prevent joining workers.
    kinds = ("GPU", "TPU")
    return any(tf.config.list_physical_devices(kind) for kind in kinds)


@contextlib.contextmanager
def _open(config):
    with config.unlocked(), config.ignore_type():
        yield
