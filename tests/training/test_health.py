"""What a run does about steps that were not finite, and about useless data."""

import itertools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.training import logs
from byol_tf.training.checkpoints import CheckpointStore
from byol_tf.training.health import (
    FaultMonitor,
    TrainingFault,
    diagnose_examples,
)
from byol_tf.training.loop import pretrain
from byol_tf.training.metrics import read_metrics
from byol_tf.training.monitors import NotFiniteWarning
from tests.support.waves import TracedOnce, fresh, make_model, signals

STEPS = 30
NAN = float("nan")


class Feed:
    """Batches of one value each, some of them NaN; knows where it began."""

    def __init__(self, bad=()):
        self.bad = set(bad)
        self.begun = []

    def __call__(self, position):
        inputs, labels = signals(16)
        self.begun.append(position)

        def batches():
            for index in itertools.count(position):
                value = NAN if index in self.bad else 0.01 * index
                yield inputs + np.float32(value), labels

        return tf.data.Dataset.from_generator(
            batches,
            output_signature=(
                tf.TensorSpec((16, 32, 1)),
                tf.TensorSpec((16,), tf.int32),
            ),
        )


def run(model, monitor, feed, callbacks=(), steps=STEPS):
    pretrain(
        model,
        feed,
        total_steps=steps,
        steps_per_epoch=100,
        callbacks=[monitor, *callbacks],
        distribution=TracedOnce(),
    )


def test_a_bad_batch_is_skipped_named_once_and_counted(tmp_path):
    model, monitor = fresh(), FaultMonitor("skip")
    metrics = logs.MetricsFile(
        tmp_path / "metrics.jsonl", steps_per_epoch=100, log_every=10
    )
    with pytest.warns(NotFiniteWarning, match="loss of step 3") as caught:
        run(model, monitor, Feed([3, 4, 17]), [metrics])
    assert len([w for w in caught if w.category is NotFiniteWarning]) == 1
    assert monitor.skipped == 3
    assert logs.all_finite(model.variables)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["skipped"] for line in lines] == [0.2, 0.1, 0.0]
    assert all(np.isfinite(line["loss"]) for line in lines)


def test_nan_now_and_then_in_a_long_run_changes_no_other_step(tmp_path):
    steps, bad = 300, range(20, 300, 37)
    model, monitor = fresh(), FaultMonitor("skip", in_a_row=3)
    store = CheckpointStore(tmp_path, model, parts={"faults": monitor})
    saving = logs.Checkpoints(store)
    with pytest.warns(NotFiniteWarning):
        run(model, monitor, Feed(bad), [saving], steps)
    assert monitor.skipped == len(bad)
    assert int(model.optimizer.iterations) == steps - len(bad)
    assert logs.all_finite(model.variables)
    assert store.restore_latest() == steps


def test_a_bad_batch_stops_the_run_after_it_and_says_so(tmp_path):
    model, monitor = fresh(), FaultMonitor("stop")
    store = CheckpointStore(tmp_path, model, parts={"faults": monitor})
    with pytest.warns(NotFiniteWarning):
        run(model, monitor, Feed([13]), [logs.Checkpoints(store)])
    assert "loss of step 13 (faults.action=stop)" in monitor.failure
    assert store.steps() == [20]
    assert logs.all_finite(model.variables)


def test_too_many_in_a_row_end_the_run_and_the_last_checkpoint_stays(tmp_path):
    model, monitor = fresh(), FaultMonitor("skip", in_a_row=5)
    store = CheckpointStore(tmp_path, model)
    saver = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda step, logs: step or store.save()
    )
    with (
        pytest.warns(NotFiniteWarning),
        pytest.raises(TrainingFault, match=r"5 steps in a row.*base_lr"),
    ):
        run(
            model,
            monitor,
            Feed([*range(2, 6), *range(8, 20)]),
            [saver, logs.Checkpoints(store)],
        )
    assert store.steps() == [0]


def make_sgd():
    model = make_model()
    model.compile(keras.optimizers.SGD())
    model.optimizer.build(model.trainable_variables)
    return model


def with_rate(rate):
    model = fresh(make_sgd)
    model.optimizer.learning_rate = rate
    return model


@pytest.mark.parametrize("rate", [1e25, float("inf")])
def test_an_exploding_learning_rate_is_named(rate):
    model, monitor = with_rate(rate), FaultMonitor("skip", in_a_row=5)
    with (
        pytest.warns(NotFiniteWarning),
        pytest.raises(TrainingFault, match=r"optimizer\.base_lr"),
    ):
        run(model, monitor, Feed())


def make_float16():
    model = make_model(dtype="mixed_float16")
    optimizer = keras.optimizers.SGD(1e-3)
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer))
    model.optimizer.build(model.trainable_variables)
    return model


def float16(scale):
    model = fresh(make_float16)
    model.optimizer.dynamic_scale.assign(scale)
    return model


def test_an_overflow_of_the_scaled_loss_is_no_fault():
    model, monitor = float16(2.0**30), FaultMonitor("stop")
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotFiniteWarning)
        run(model, monitor, Feed())
    assert 0 < monitor.skipped < STEPS
    assert monitor.in_a_row == 0 and monitor.failure is None


def test_an_overflow_that_does_not_end_is_named():
    model, monitor = float16(2.0**40), FaultMonitor("skip", in_a_row=4)
    with pytest.raises(TrainingFault, match=r"4 steps in a row.*bfloat16"):
        run(model, monitor, Feed())


def test_what_was_not_read_yet_is_in_the_state():
    monitor = FaultMonitor("skip")
    monitor.set_model(fresh())
    with pytest.warns(NotFiniteWarning):
        for step in range(13):
            logs = {"skipped": tf.constant(0.0), "loss": tf.constant(1.0)}
            if step in (1, 12):
                logs = {"skipped": tf.constant(1.0), "loss": tf.constant(NAN)}
            monitor.on_train_batch_end(step, logs)
    again = FaultMonitor("skip")
    again.set_model(monitor.model)
    again.set_state(monitor.state())
    assert again.skipped == 1
    again.on_epoch_end(0)
    assert (again.skipped, again.in_a_row) == (2, 1)


def test_an_unknown_action_is_refused():
    with pytest.raises(ValueError, match="skip, stop"):
        FaultMonitor("explode")


def noise(count=10):
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)


def test_images_that_are_all_the_same_are_named():
    images = np.repeat(noise(1), 6, axis=0)
    assert diagnose_examples(images).name == "identical_examples"
    assert (
        diagnose_examples(np.zeros((6, 4, 4, 1))).name == "identical_examples"
    )


def test_texts_are_no_constant_examples():
    assert diagnose_examples(np.array([b"a card", b"a letter"])) is None
    assert (
        diagnose_examples(np.array([b"a", b"a"])).name == "identical_examples"
    )


def test_constant_examples_are_named_if_they_are_half_or_more():
    images = noise()
    images[:5] = np.arange(5, dtype=np.uint8)[:, None, None, None]
    found = diagnose_examples(images)
    assert found.name == "constant_examples" and "50%" in found.advice
    assert diagnose_examples(images[1:]) is None


def test_ordinary_images_are_not_named():
    assert diagnose_examples(noise()) is None
