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
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from byol_tf import logs, monitors, reporting
from byol_tf.checkpoints import CheckpointStore
from byol_tf.data.pipeline import training_batches, with_views
from byol_tf.data.sources import Images
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.evaluation.pictures import views_grid
from byol_tf.evaluation.summary import Protocol, summarize
from byol_tf.files import read_json, save_model, whole_file, write_json
from byol_tf.models.byol import BYOL
from byol_tf.runtime import describe_machine
from byol_tf.seeds import step_seed
from byol_tf.training import pretrain


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
        return self.train.num_examples // self.settings.batch_size

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
        started = time.perf_counter()
        self.extractor = FeatureExtractor(self.model.encoder, self.prepare)
        before = self._before(workdir)
        if not (workdir / "views.png").exists():
            self._draw_views(workdir / "views.png")
        store = CheckpointStore(
            workdir / "checkpoints", self.model, self.settings.checkpoint_keep
        )
        resumed = store.restore_latest()
        if resumed:
            logging.info("Continuing at step %d.", resumed)
        callbacks = self._callbacks(workdir, store)
        pretrain(
            self.model,
            self.batches,
            total_steps=self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
            callbacks=callbacks,
            jit_compile=self.settings.jit_compile,
        )
        trained = time.perf_counter() - started
        save_model(self.model.encoder, workdir / "encoder.keras")
        after, features = self._evaluate()
        metrics = logs.read_metrics(workdir / "metrics.jsonl")
        result = {
            "before": before,
            "after": after,
            "steps": int(self.model.step.numpy()),
            "epochs": self.settings.epochs,
            "batch_size": self.settings.batch_size,
            "images": self.train.num_examples,
            "seed": self.settings.seed,
            "training_seconds": metrics[-1]["seconds"] if metrics else 0.0,
            "monitor_seconds": round(_spent(callbacks), 3),
            "session_seconds": round(trained, 3),
            "resumed_at_step": resumed,
            "skipped_images": len(self.train.skipped),
            "data": self.train.name,
            "data_fingerprint": self.train.fingerprint(),
            "machine": describe_machine(),
        }
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
        """Training images whose labels the evaluation uses."""
        limit = self.protocol.max_train
        if self.train.num_examples <= limit:
            return self.train
        rng = np.random.default_rng((self.settings.seed, 2))
        chosen = rng.permutation(self.train.num_examples)[:limit]
        return self.train.subset(np.sort(chosen))

    def _callbacks(self, workdir, store):
        settings = self.settings
        callbacks = self._monitors()
        per_epoch = self.steps_per_epoch
        return [
            *callbacks,
            logs.ProgressBar(self.total_steps, settings.batch_size),
            logs.MetricsFile(
                workdir / "metrics.jsonl",
                steps_per_epoch=per_epoch,
                log_every=settings.log_every,
            ),
            logs.TensorBoardScalars(
                workdir / "tensorboard", log_every=settings.log_every
            ),
            logs.Checkpoints(store, every_seconds=settings.checkpoint_seconds),
        ]

    def _monitors(self):
        settings, count = self.settings, self.settings.monitor_samples
        known = np.flatnonzero(self.train.labels >= 0)
        rng = np.random.default_rng((settings.seed, 1))
        if len(known) < 2 or not settings.monitor_knn:
            chosen = rng.permutation(self.train.num_examples)[:count]
            found = []
        else:
            # Held out of the bank, not out of pretraining, which sees no
            # labels. No test image is used while training.
            order = rng.permutation(known)
            chosen = order[: min(count, len(known) // 2)]
            bank = order[len(chosen) :][: 4 * count]
            found = [
                monitors.KNNMonitor(
                    self.extractor,
                    self.train.images[np.sort(bank)],
                    self.train.labels[np.sort(bank)],
                    self.train.images[np.sort(chosen)],
                    self.train.labels[np.sort(chosen)],
                    num_classes=self.train.num_classes,
                    k=min(self.protocol.knn_k, len(bank)),
                    every=settings.monitor_every,
                )
            ]
        collapse = monitors.CollapseMonitor(
            self.extractor,
            self.train.images[np.sort(chosen)],
            every=settings.monitor_every,
            stop=settings.stop_on_collapse,
            pair=self._agreement_pair(chosen),
        )
        return [collapse, *found]

    def _agreement_pair(self, chosen):
        """Predictions and target projections of two views of some inputs."""
        views = self.pipeline_views or self.model.views
        inputs = tf.constant(self.train.images[np.sort(chosen)[:256]])

        @tf.function
        def outputs():
            view1, view2 = views(inputs, seed=step_seed(self.model.seed, -1))
            online = self.model.online(view1, training=False)
            target = self.model.target(view2, training=False)
            return online.prediction, target.projection

        return lambda: [tensor.numpy() for tensor in outputs()]

    def _draw_views(self, path):
        images, _ = next(iter(self._plain_batches()))
        views = self.pipeline_views or self.model.views
        view1, view2 = views(images, seed=step_seed(self.model.seed, 0))
        with whole_file(path) as temporary:
            views_grid(
                images.numpy()[:12],
                view1.numpy()[:12],
                view2.numpy()[:12],
                temporary,
            )

    def _plain_batches(self):
        return training_batches(
            self.train,
            self.settings.batch_size,
            seed=self.settings.seed,
            num_steps=1,
        )


def _spent(callbacks):
    return sum(getattr(callback, "seconds", 0.0) for callback in callbacks)
