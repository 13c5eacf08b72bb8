"""One pretraining run, from labelled or unlabelled data to its folder.

The folder explains itself:

    config.yaml     every field of the configuration
    metrics.jsonl   one JSON object a line
    tensorboard/    the same for TensorBoard
    checkpoints/    the last states and the best by kNN
    views.png       the first views
    encoder.keras   the result
    train.json      before and after, in numbers
    report.html     all of it to look at
"""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf import logs, reporting
from byol_tf.checkpoints import CheckpointStore
from byol_tf.data.pipeline import (
    epoch_order,
    steps_per_epoch,
    training_batches,
    with_views,
)
from byol_tf.data.sources import Images
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.pictures import views_grid
from byol_tf.evaluation.summary import Protocol, summarize
from byol_tf.files import read_json, save_model, whole_file, write_json
from byol_tf.models.byol import BYOL
from byol_tf.runtime import describe_machine
from byol_tf.seeds import step_seed
from byol_tf.training import pretrain
from byol_tf.watch import Watch

DRAWN = 12  # images whose first views are drawn


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers of a run that are neither model nor data.

    Attributes:
        batch_size: inputs of one step.
        epochs: passes over the training inputs.
        seed: of data order and label subsets.
        log_every: steps between two lines of metrics.
        monitor_every: epochs between two measurements.
        monitor_knn: measure kNN where there are labels.
        monitor_samples: held-out inputs measured.
        stop_on_collapse: end the run on collapse or NaN.
        checkpoint_seconds: time between two checkpoints.
        checkpoint_keep: checkpoints that stay.
        jit_compile: compile the whole step with XLA.
    """

    batch_size: int
    epochs: int
    seed: int = 0
    log_every: int = 50
    monitor_every: int = 1
    monitor_knn: bool = True
    monitor_samples: int = 1000
    stop_on_collapse: bool = False
    checkpoint_seconds: float = 120.0
    checkpoint_keep: int = 2
    jit_compile: bool = False


@dataclasses.dataclass
class Pretraining:
    """A run that is ready to go.

    Attributes:
        model: compiled BYOL model.
        train: inputs to pretrain on; labels are used for measuring only.
        test: inputs to judge by.
        prepare: evaluation preprocessing of a batch, such as `CentreView`.
        settings: numbers of the run.
        protocol: how the representation is judged.
        pipeline_views: None, or the views if `model.views` is None: then
            they are drawn in the `tf.data` pipeline.
        config_text: shown in the report.
        title: of the report.
    """

    model: BYOL
    train: Images
    test: Images
    prepare: Callable
    settings: Settings
    protocol: Protocol
    pipeline_views: Callable | None = None
    config_text: str = ""
    title: str = "pretraining"

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
            What `train.json` holds.
        """
        workdir = pathlib.Path(workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        self.extractor = FeatureExtractor(self.model.encoder, self.prepare)
        before = self._before(workdir)
        if not (workdir / "views.png").exists():
            self._draw_views(workdir / "views.png")
        watch = self._train(workdir)
        save_model(self.model.encoder, workdir / "encoder.keras")
        numbers, features = self._evaluate()
        metrics = logs.read_metrics(workdir / "metrics.jsonl")
        result = self._result(before, numbers, metrics, watch)
        write_json(workdir / "train.json", result)
        with np.load(workdir / "before.npz") as file:
            features_before = file["test"]
        reporting.write(
            workdir,
            title=self.title,
            config_text=self.config_text,
            result=result,
            metrics=metrics,
            shots=self.protocol.shots,
            before=features_before,
            after=features,
            train=self._judged(),
            test=self.test,
        )
        return result

    @property
    def views(self) -> Callable:
        """The augmentation, wherever it runs."""
        return self.pipeline_views or self.model.views

    def batches(self, start_step: int) -> tf.data.Dataset:
        """Training batches from a step on."""
        batches = training_batches(
            self.train,
            self.settings.batch_size,
            seed=self.settings.seed,
            start_step=start_step,
            num_steps=self.total_steps - start_step,
        )
        if self.pipeline_views is None:
            return batches
        return with_views(
            batches,
            self.pipeline_views,
            lambda step: step_seed(self.model.seed, step),
            start_step=start_step,
        )

    def table(self, result: dict) -> str:
        """The before/after table for the terminal."""
        return reporting.table(result, self.protocol.shots)

    # ---- pieces -------------------------------------------------------

    def _train(self, workdir):
        settings = self.settings
        store = CheckpointStore(
            workdir / "checkpoints", self.model, settings.checkpoint_keep
        )
        resumed = store.restore_latest()
        if resumed:
            logging.info("Continuing at step %d.", resumed)
        watch = Watch(
            self.model,
            self.train,
            self.extractor,
            self.views,
            samples=settings.monitor_samples,
            every=settings.monitor_every,
            knn=settings.monitor_knn,
            knn_k=self.protocol.knn_k,
            knn_temperature=self.protocol.knn_temperature,
            stop=settings.stop_on_collapse,
            seed=settings.seed,
        )
        pretrain(
            self.model,
            self.batches,
            total_steps=self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
            callbacks=[*watch.callbacks, *self._reporters(workdir, store)],
            jit_compile=settings.jit_compile,
        )
        return watch

    def _before(self, workdir):
        path = workdir / "before.json"
        if not path.exists():
            numbers, features = self._evaluate()
            with whole_file(workdir / "before.npz") as temporary:
                np.savez(temporary, test=features[1][:1000])
            write_json(path, numbers)
        return read_json(path)

    def _evaluate(self):
        judged = self._judged()
        train = self.extractor(judged.images)
        test = self.extractor(self.test.images)
        numbers = summarize(
            train,
            judged.labels,
            test,
            self.test.labels,
            num_classes=self.train.num_classes,
            protocol=self.protocol,
        )
        return numbers, (train, test)

    def _judged(self):
        """Training images that the evaluation uses: labelled if any are."""
        limit = self.protocol.max_train
        known = np.flatnonzero(self.train.labels >= 0)
        usable = known if len(known) else np.arange(self.train.num_examples)
        if len(usable) > limit:
            rng = np.random.default_rng((self.settings.seed, 2))
            usable = np.sort(rng.permutation(usable)[:limit])
        if len(usable) == self.train.num_examples:
            return self.train
        return self.train.subset(usable)

    def _reporters(self, workdir, store):
        settings = self.settings
        return [
            logs.ProgressBar(self.total_steps, settings.batch_size),
            logs.MetricsFile(
                workdir / "metrics.jsonl",
                steps_per_epoch=self.steps_per_epoch,
                log_every=settings.log_every,
            ),
            logs.TensorBoardScalars(
                workdir / "tensorboard", log_every=settings.log_every
            ),
            logs.Checkpoints(store, every_seconds=settings.checkpoint_seconds),
        ]

    def _draw_views(self, path):
        # Of a whole batch, so that the training need not compile them again.
        order = epoch_order(self.train.num_examples, self.settings.seed, 0)
        images = self.train.images[order[: self.settings.batch_size]]
        views = self.views(
            tf.constant(images), seed=step_seed(self.model.seed, 0)
        )
        shown = [array[:DRAWN] for array in (images, *views)]
        views_grid(*map(np.asarray, shown), path)

    def _result(self, before, after, metrics, watch):
        return {
            "before": before,
            "after": after,
            "stopped": watch.collapse.diagnosis
            and watch.collapse.diagnosis.name,
            "steps": int(self.model.step.numpy()),
            "epochs": self.settings.epochs,
            "batch_size": self.settings.batch_size,
            "images": self.train.num_examples,
            "seed": self.settings.seed,
            "training_seconds": metrics[-1]["seconds"] if metrics else 0.0,
            "monitor_seconds": watch.seconds,
            "skipped_images": len(self.train.skipped),
            "data": self.train.name,
            "data_fingerprint": self.train.fingerprint(),
            "machine": describe_machine(),
        }
