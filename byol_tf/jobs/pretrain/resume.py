"""The training steps of a run, from its last checkpoint on."""

import contextlib
import pathlib
import warnings

import numpy as np
from absl import logging

from byol_tf.data.examples import Examples
from byol_tf.jobs.pretrain.monitoring import Watch
from byol_tf.runs.config import flatten
from byol_tf.runs.identity import RunIdentity
from byol_tf.training import logs
from byol_tf.training.checkpoints import CheckpointStore
from byol_tf.training.health import (
    FaultMonitor,
    NothingToLearnWarning,
    TrainingFault,
    diagnose_examples,
)
from byol_tf.training.loop import pretrain
from byol_tf.training.monitors import FirstMinute
from byol_tf.training.signals import stop_between_steps

MOST_CHECKED = 256  # encoded rows checked for useless images


def train(job, workdir: pathlib.Path, watch: Watch | None) -> FaultMonitor:
    """Trains from the last checkpoint of a run folder to the end.

    Of several workers, all read the folder and only the chief writes.

    Args:
        job: the run, a `Pretraining`.
        workdir: its folder.
        watch: its monitors; None for a worker that is not the chief.

    Returns:
        The monitor of skipped steps.

    Raises:
        Stopped: if SIGTERM or SIGINT came; the last step is in a checkpoint.
        TrainingFault: if the loss or gradients are not finite, and the settings
            end the run then.
        OSError: if a checkpoint or the metrics cannot be written.
        ValueError: if there are checkpoints, but none is intact.
    """
    model, settings = job.model, job.settings
    faults = FaultMonitor(
        settings.faults_action, in_a_row=settings.faults_in_a_row
    )
    parts, reports = {"faults": faults}, {}
    if watch is not None:
        _warn_of(watch.collapse.inputs, job.prepare)
        reports = _reports(workdir, settings, job.steps_per_epoch)
        parts |= {**reports, "watch": watch, "identity": _identity(job)}
    store = CheckpointStore(
        workdir / "checkpoints", model, settings.checkpoint_keep, parts
    )
    resumed = _restore(store, job.distribution)
    if resumed:
        logging.info("Continuing at step %d.", resumed)
    with (
        stop_between_steps(job.deadline) as request,
        contextlib.ExitStack() as stack,
    ):
        observers = []
        if watch is not None:
            bar = logs.ProgressBar(
                job.total_steps,
                settings.batch_size,
                job.steps_per_epoch,
                noun=job.modality.name,
            )
            displays = [bar, *reports.values()]
            stack.enter_context(contextlib.closing(bar))
            observers = [
                *watch.callbacks,
                *job.callbacks(workdir),
                *displays,
                FirstMinute(watch.callbacks, displays),
                logs.Checkpoints(
                    store, every_seconds=settings.checkpoint_every_seconds
                ),
            ]
        pretrain(
            model,
            job.batches,
            total_steps=job.total_steps,
            steps_per_epoch=job.steps_per_epoch,
            callbacks=[faults, *observers, request],
            jit_compile=settings.jit_compile,
            distribution=job.distribution,
        )
    # A signal may have reached only some workers.
    signals = job.distribution.gather(request.signal or 0)
    request.signal = int(max(signals)) or None
    request.late = any(job.distribution.gather(int(request.late)))
    if faults.failure:
        raise TrainingFault(faults.failure)
    request.raise_if_asked(int(model.step.numpy()), job.total_steps)
    return faults


def _identity(job):
    """Returns what identifies the run, to compare when it continues."""
    order = "blocks" if job.train.by_blocks else "rows"
    return RunIdentity(
        flatten(job.about.get("config", {})) | {"data.order": order},
        job.train.fingerprint,
        job.accept_changes,
    )


def _reports(workdir, settings, steps_per_epoch):
    """Returns callbacks that write metrics, by their name in a checkpoint."""
    return {
        "metrics": logs.MetricsFile(
            workdir / "metrics.jsonl",
            steps_per_epoch=steps_per_epoch,
            log_every=settings.log_every,
        ),
        "tensorboard": logs.TensorBoardScalars(
            workdir / "tensorboard", log_every=settings.log_every
        ),
    }


def _restore(store, distribution):
    """Restores the last checkpoint on all workers; returns its step, or 0."""
    if not distribution.is_chief:
        distribution.wait()  # since reading cleans up the folder
    step = store.restore_latest()
    if distribution.is_chief:
        distribution.wait()
    steps = distribution.gather(step)
    if len(set(steps)) > 1:
        raise ValueError(
            f"the workers found different checkpoints in {store.directory}, of "
            f"the steps {', '.join(f'{s:g}' for s in steps)}. It must be one "
            "folder, on a file system that all of them share"
        )
    return step


def _warn_of(inputs, prepare):
    if isinstance(inputs, Examples):  # decoded one by one, so check only a few
        positions = np.arange(min(inputs.num_examples, MOST_CHECKED))
        # Large photos take too much memory.
        batch = inputs.take(positions, prepare)
        inputs = (
            next(iter(batch.values())) if isinstance(batch, dict) else batch
        )
        if np.issubdtype(inputs.dtype, np.floating):
            inputs = inputs.round(4)  # resizing does not keep them equal
    diagnosis = diagnose_examples(inputs)
    if diagnosis:
        warnings.warn(
            f"{diagnosis.name}: {diagnosis.advice}",
            NothingToLearnWarning,
            stacklevel=3,
        )
