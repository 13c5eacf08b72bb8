"""One pretraining run, from labelled or unlabelled data to its folder.

A run writes these into its folder; some only when they are needed:

    config.yaml     every field of the configuration
    plan.json       lines about the settings that were chosen for the data
    data.json       how a folder of data was read
    bad_images.csv  unreadable inputs, with reasons
    metrics.jsonl   one JSON object per line
    tensorboard/    the same for TensorBoard
    checkpoints/    the last states and the best by kNN
    views.png       the first views
    before.json, before.npz   results before training
    early.npz       representations at the first measurement
    encoder.keras   the trained encoder
    preprocessor.json   description of its inputs
    samples.npz     some training inputs, to compare exports on
    encoders/       the encoder every `save_encoder_every` epochs
    train.json      results before and after training
    report.html     results and figures
"""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from byol_tf.data.batches import (
    plain_errors,
    rows_for_views,
    training_batches,
    with_views,
)
from byol_tf.data.examples import Examples
from byol_tf.data.order import steps_per_epoch
from byol_tf.data.rows import bare
from byol_tf.distribute.strategy import Distribution
from byol_tf.evaluation.collapse import MILDER
from byol_tf.evaluation.summary import Protocol
from byol_tf.files import write_json
from byol_tf.jobs.pretrain import results as reporting
from byol_tf.jobs.pretrain import resume as resumable
from byol_tf.jobs.pretrain.judging import Judge
from byol_tf.jobs.pretrain.monitoring import Watch
from byol_tf.jobs.pretrain.settings import Settings
from byol_tf.jobs.pretrain.verdict import verdict
from byol_tf.methods.pretrainer import Pretrainer
from byol_tf.modalities.contract import Modality
from byol_tf.runs.encoder import save_encoder
from byol_tf.runs.samples import draw_samples, save_samples
from byol_tf.runtime import describe_machine
from byol_tf.seeds import step_seed
from byol_tf.training import flops, utilisation
from byol_tf.training.metrics import read_metrics
from byol_tf.training.signals import OutOfTimeError

EARLY = "early.npz"  # representations during training
NUM_DRAWN = 12  # images drawn with their first views


@dataclasses.dataclass
class Pretraining:
    """A run that is ready to start.

    Attributes:
        model: compiled, such as `byol_tf.BYOL`.
        train: inputs to pretrain on; labels are only used for evaluation.
        test: inputs to evaluate on.
        modality: kind of the rows.
        prepare: deterministic preprocessing of a batch of rows.
        settings: settings of the run.
        protocol: how the representation is evaluated.
        view_shape: shape of a view, if the encoder takes any size; else None.
        resized_encoder: the model's encoder, with the same weights, for
            another input size than the views'; None: the model's own fits.
        pipeline_views: the views if `model.views` is None: they are drawn in
            the `tf.data` pipeline.
        config_text: the configuration as text, for the report.
        title: title of the report.
        about: facts about the encoder, see `build.describe`.
        accept_changes: whether to continue although settings or data changed.
        distribution: devices and workers; all but the chief only make steps.
        milder: advice on milder views, for when the representation is worse.
        notes: lines to print, also kept in `train.json`.
        stop_after: seconds after which it saves and stops; None: at its end.
        observers: the user's callbacks, called after the monitors.
        deadline: `time.monotonic` at which it stops; set by `stop_after`.
    """

    model: Pretrainer
    train: Examples
    test: Examples
    modality: Modality
    prepare: Callable
    settings: Settings
    protocol: Protocol
    view_shape: tuple | None = None
    resized_encoder: keras.Model | None = None
    pipeline_views: Callable | None = None
    config_text: str = ""
    title: str = "pretraining"
    about: Mapping = dataclasses.field(default_factory=dict)
    accept_changes: bool = False
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    milder: str = MILDER
    notes: Sequence[str] = ()
    stop_after: float | None = None
    observers: Sequence[keras.callbacks.Callback] = ()
    deadline: float | None = dataclasses.field(default=None, init=False)

    @property
    def encoder(self) -> keras.Model:
        """The encoder to evaluate and save, for outputs of `prepare`."""
        return self.resized_encoder or self.model.encoder

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(
            self.train.num_examples, self.settings.batch_size
        )

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.settings.epochs

    def run(self, workdir) -> dict:
        """Trains, or continues, and writes the folder.

        Returns:
            The contents of `train.json`; {} for a worker that is not the chief.

        Raises:
            WorkerLostError: if another worker of the run died.
            OutOfTimeError: if `stop_after` is over; the run can be continued.
        """
        workdir = pathlib.Path(workdir)
        if self.stop_after is not None:
            self.deadline = time.monotonic() + self.stop_after
        with self.distribution.watched(), plain_errors(self.train):
            if self.distribution.is_chief:
                result = self._lead(workdir)
            else:
                result = {}
                resumable.train(self, workdir, None)
            self.distribution.wait()
        return result

    def _lead(self, workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        self.judge = Judge(self)
        before = self.judge.before(workdir)
        if not (workdir / "views.png").exists():
            self._draw_views(workdir / "views.png")
        for line in self.notes:
            print(line, flush=True)
        watch = Watch(self, self.judge.extractor, workdir / EARLY)
        try:
            faults = resumable.train(self, workdir, watch)
        except OutOfTimeError:
            self.save(workdir)
            raise
        self.save(workdir)
        after, features = self.judge.measure("after training")
        metrics = read_metrics(workdir / "metrics.jsonl")
        result = self._result(before, after, metrics, watch, faults)
        write_json(workdir / "train.json", result)
        reporting.write(
            *(workdir, self, result, metrics),
            *(self.judge.vectors_before(workdir), features, watch),
        )
        return result

    @functools.cached_property
    def flops_per_image(self) -> float:
        """Returns the operations of a training step per image."""
        return flops.step(self.model, self.view_shape)

    @property
    def views(self) -> Callable:
        """The augmentation, wherever it runs."""
        return self.pipeline_views or self.model.views

    def batches(self, start_step: int) -> Iterable:
        """Returns batches from a step on, for the replicas of this worker."""

        def parts(shard):
            seed = functools.partial(step_seed, self.model.seed)
            batches = training_batches(
                self.train,
                self.settings.batch_size,
                seed=self.settings.seed,
                start_step=start_step,
                num_steps=self.total_steps - start_step,
                shard=shard,
                views=None if self.train.dense else self.views,
                view_seed=seed,
            )
            if self.pipeline_views is None:
                return batches
            return with_views(
                *(batches, self.pipeline_views, seed),
                start_step=start_step,
                shard=shard,
            )

        return self.distribution.batches(parts)

    def table(self, result: dict) -> str:
        """Formats the before/after table for the terminal."""
        return reporting.table(result, self.protocol.shots)

    # ---- pieces -------------------------------------------------------

    def save(self, workdir) -> None:
        """Writes the encoder, its preprocessor, and rows to verify exports on.

        Args:
            workdir: the run folder, or another one.
        """
        save_encoder(
            self.encoder,
            workdir,
            preprocessor=self.prepare,
            title=self.title,
            data=self.train.name,
            data_fingerprint=self.train.fingerprint(),
            **self.about,
        )
        decode = functools.partial(
            self.modality.decode_row, sizes=self.about["sizes"]
        )
        samples = draw_samples(self.train, self.settings.seed, decode=decode)
        save_samples(samples, workdir)

    def callbacks(self, workdir: pathlib.Path) -> list:
        """Returns the optional callbacks of a run."""
        settings, callbacks = self.settings, []
        if settings.peak_tflops:
            callbacks.append(
                utilisation.Utilisation(
                    self.flops_per_image,
                    settings.batch_size,
                    settings.peak_tflops,
                )
            )
        if settings.save_encoder_every:
            keep = functools.partial(self._keep_encoder, workdir)
            callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=keep))
        return [*callbacks, *self.observers]

    def _keep_encoder(self, workdir, epoch, _logs):
        if (epoch + 1) % self.settings.save_encoder_every == 0:
            self.save(workdir / "encoders" / f"epoch{epoch + 1:05d}")

    def _utilisation(self, metrics):
        steps = int(self.model.step.numpy())
        return utilisation.throughput(
            self.flops_per_image,
            images=steps * self.settings.batch_size,
            seconds=metrics[-1]["seconds"] if metrics else 0.0,
        )

    def _draw_views(self, path):
        # Of a whole batch in a function, as the step draws them: they need
        # not be compiled again for it.
        order = self.train.order(self.settings.seed, 0)
        order = self.train.readable_rows(order[: self.settings.batch_size])
        seed = step_seed(self.model.seed, 0)
        batch = rows_for_views(self.train, order, self.views, seed)
        draw = tf.function(self.views, autograph=False)
        pair = [np.asarray(view[:NUM_DRAWN]) for view in draw(batch, seed=seed)]
        rows = [bare(self.train.read(row)) for row in order[:NUM_DRAWN]]
        self.modality.draw_views(rows, pair, path)

    def _result(self, before, after, metrics, watch, faults):
        diagnosis = watch.collapse.diagnosis
        result = {
            "before": before,
            "after": after,
            "raw": self.judge.raw(after),
            "random": self.judge.random(),
            "duplicates": {} if "knn_accuracy" in after else _counts(watch),
            "monitored": watch.queries,
            "stopped": diagnosis and diagnosis.name,
            "advice": diagnosis and diagnosis.advice,
            "start": self.about.get("start", ""),
            "steps": int(self.model.step.numpy()),
            "epochs": self.settings.epochs,
            "batch_size": self.settings.batch_size,
            "images": self.train.num_examples,
            "seed": self.settings.seed,
            "precision": self.model.dtype_policy.name,
            "training_seconds": metrics[-1]["seconds"] if metrics else 0.0,
            "monitor_seconds": watch.seconds,
            **self._utilisation(metrics),
            "skipped_steps": faults.skipped,
            "skipped_images": len(self.train.skipped),
            "data": self.train.name,
            "data_fingerprint": self.train.fingerprint(),
            "notes": list(self.notes),
            "machine": describe_machine(),
        }
        verdict_text = verdict(result, metrics, self.milder)
        return result | {"verdict": verdict_text}


def _counts(watch):
    groups = watch.duplicates
    return {
        "groups": len(groups),
        "examples": sum(map(len, groups)),
        "of": len(watch.rows),
    }
