"""Runs our pretraining for a budget of wall-clock time."""

import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks import pretrain_config
from benchmarks.workers import protocol
from byol_tf import CosineTau
from byol_tf.data.batches import training_batches
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain.methods import make_model
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.modalities.image.reading import load_images
from byol_tf.modalities.image.views import CentreView
from byol_tf.runtime import dtype_policy, share_cores, should_compile
from byol_tf.training.loop import pretrain
from configs import cifar10_cpu

UNITS = 100_000  # length of the schedules, which stands for the budget


class Clock(keras.callbacks.Callback):
    """Ends the training when its time is over, and drives the schedules.

    As for the peer, time counts from the end of the first step, which traces
    and compiles.

    Args:
        budget: seconds of training.
        elapsed: float variable that is set to the units that have passed.
    """

    def __init__(self, budget: float, elapsed: tf.Variable):
        super().__init__()
        self.budget = budget
        self.elapsed = elapsed
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.steps == 0:
            self.begin, self.first_loss = now, float(logs["loss"])
        self.steps += 1
        self.last_loss = logs["loss"]
        self.seconds = now - self.begin
        share = min(1.0, self.seconds / self.budget)
        self.elapsed.assign(share * UNITS)
        if share == 1.0:
            self.model.stop_training = True


class ByClock(keras.optimizers.schedules.LearningRateSchedule):
    """Evaluates a schedule at the value of a variable, not at the step."""

    def __init__(self, schedule, elapsed: tf.Variable):
        super().__init__()
        self.schedule, self.elapsed = schedule, elapsed

    def __call__(self, step):
        return self.schedule(self.elapsed)


class Run:
    """A model that is ready to train.

    Args:
        case: see `benchmarks.pretrain`; with `as_peer` it has the batch size
            and views of the peer.
    """

    def __init__(self, case: dict):
        recipe = cifar10_cpu if case["encoder"] == "wide" else pretrain_config
        config = recipe.get_config()
        config.seed = case["seed"]
        if case.get("as_peer"):
            config.batch_size, config.augment.size = case["batch"], 0
            # By the linear rule, from the recipe's batch of 128.
            config.optimizer.base_lr = 4e-3
        keras.utils.set_random_seed(config.seed)
        self.case, self.config = case, config
        self.info = {"variant": dtype_policy(config.precision)}
        self.train, self.test = (
            load_images("arrays", split=split, directory=case["images"])
            for split in ("train", "test")
        )
        self.elapsed = tf.Variable(0.0)
        size = config.augment.size or self.train.row_shape[0]
        self.model = self._model(size)
        self.extractor = FeatureExtractor(self.model.encoder, CentreView(size))
        self.features = self._features("before")

    def _model(self, size):
        config, elapsed = self.config, self.elapsed
        # As it stands, for the peer's batch too.
        tau = CosineTau(config.objective.tau, UNITS)
        model = make_model(
            config,
            IMAGE.encoder(config, CentreView(size), (size, size, 3)),
            IMAGE.views(config, CentreView(size)),
            tau=lambda updates: tau(elapsed),
            probe_classes=0,
        )
        optimizer = builders.optimizer(config, model, UNITS)
        optimizer.learning_rate = ByClock(
            builders.learning_rate(config, UNITS), elapsed
        )
        model.compile(optimizer)
        optimizer.build(model.trainable_variables)
        return model

    def go(self) -> dict:
        """Trains until the time is over."""
        batch, seed = self.config.batch_size, self.config.seed
        clock = Clock(self.case["budget_s"], self.elapsed)
        pretrain(
            self.model,
            lambda step: training_batches(
                self.train, batch, seed=seed, start_step=step
            ),
            total_steps=2**40,
            steps_per_epoch=self.train.num_examples // batch,
            callbacks=[clock],
            jit_compile=should_compile("auto"),
        )
        self.losses = clock.first_loss, float(clock.last_loss)
        # The first step is not in the time.
        units = (clock.steps - 1) * batch
        return {"units": units, "seconds": clock.seconds}

    def finish(self) -> dict:
        """Writes the representations, before and after."""
        features = {**self.features, **self._features("after")}
        np.savez(self.case["features"], **features)
        first, last = self.losses
        return {"first_loss": first, "last_loss": last}

    def _features(self, stage):
        rng = np.random.default_rng(0)
        bank = rng.permutation(self.train.num_examples)[: self.case["labelled"]]
        queries = rng.permutation(self.test.num_examples)
        queries = queries[: self.case["queries"]]
        return {
            f"bank_{stage}": self.extractor(self.train.rows[bank]),
            f"queries_{stage}": self.extractor(self.test.rows[queries]),
            "bank_labels": self.train.labels[bank],
            "query_labels": self.test.labels[queries],
        }


if __name__ == "__main__":
    share_cores()
    protocol.serve(Run, "tensorflow", "tensorflow-cpu", "keras", "numpy")
