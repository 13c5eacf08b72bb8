"""The loop, its callbacks and its checkpoints, on a model without images."""

import itertools
import json
import time
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.files import write_json
from byol_tf.training import logs, monitors
from byol_tf.training.checkpoints import CheckpointStore
from byol_tf.training.metrics import read_metrics
from tests.support.waves import assign, fresh, make_model, run, signals, values


def test_signals_are_pretrained_with_views_of_their_own():
    model = fresh()
    extractor = FeatureExtractor(model.encoder)
    inputs, labels = signals(64, seed=5)
    knn = monitors.KNNMonitor(
        extractor, *signals(64), inputs, labels, num_classes=2, k=5
    )
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: seen.append(float(logs["loss"]))
    )
    run(model, 80, [knn, record])
    assert np.mean(seen[-8:]) < 0.5 * np.mean(seen[:8])
    assert knn.measure()["knn_accuracy"] > 0.9


def with_optimizer(kind):
    """A model whose optimizer has more to remember than slots."""
    adam = keras.optimizers.Adam
    model = make_model()
    model.compile(
        adam(5e-3, gradient_accumulation_steps=2)
        if kind == "accumulating"
        else keras.optimizers.LossScaleOptimizer(adam(5e-3))
    )
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accumulating", "scaling"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, kind):
    whole = fresh(with_optimizer, kind)
    run(whole, 11)
    expected = values(whole)
    first = fresh(with_optimizer, kind)
    run(first, 5, [logs.Checkpoints(CheckpointStore(tmp_path, first))])
    keras.utils.set_random_seed(99)
    second = fresh(with_optimizer, kind)
    assign(second, map(np.zeros_like, expected))
    assert CheckpointStore(tmp_path, second).restore_latest() == 5
    run(second, 11)
    for ours, theirs in zip(values(second), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_interrupted_run_is_saved_and_continues(tmp_path):
    whole = fresh()
    run(whole, 6)
    expected = values(whole)

    def interrupt(step, logs):
        if step == 2:
            raise KeyboardInterrupt

    first = fresh()
    store = CheckpointStore(tmp_path, first)
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(first, 6, [logs.Checkpoints(store), stop])
    second = fresh()
    assert CheckpointStore(tmp_path, second).restore_latest() == 3
    run(second, 6)
    for ours, theirs in zip(values(second), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = fresh()
    store = CheckpointStore(tmp_path, model)
    run(model, 2, [logs.Checkpoints(store)])
    model.predictor.layers[0].kernel.assign(
        tf.fill(model.predictor.layers[0].kernel.shape, np.nan)
    )
    run(model, 4, [logs.Checkpoints(store)])
    assert store.steps() == [2]


def test_the_last_epoch_is_always_measured():
    model = fresh()
    seen = []
    monitor = monitors.CollapseMonitor(
        FeatureExtractor(model.encoder), signals()[0], every=2
    )
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append("feature_std" in logs)
    )
    run(model, 12, [monitor, record])
    assert seen == [False, True, True]


def test_numbers_that_are_not_finite_are_null_in_json(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, {"a": [float("nan"), 1.5], "b": float("inf")})
    assert json.loads(path.read_text()) == {"a": [None, 1.5], "b": None}


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    model = fresh()
    store = CheckpointStore(tmp_path, model)
    run(model, 2, [logs.Checkpoints(store)])
    run(model, 4, [logs.Checkpoints(store)])
    assert store.steps() == [2, 4]
    data = next((tmp_path / "step-000000004").glob("state.data*"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    assert CheckpointStore(tmp_path, model).restore_latest() == 2


def test_only_the_latest_checkpoints_stay(tmp_path):
    model = fresh()
    store = CheckpointStore(tmp_path, model, keep=2)
    for step in range(1, 5):
        model.step.assign(step)
        store.save()
    assert store.steps() == [3, 4]
    assert not list(tmp_path.glob(".*"))


def test_the_best_checkpoint_is_the_one_of_the_highest_score(tmp_path):
    model = fresh()
    store = CheckpointStore(tmp_path, model)
    saved = []
    for step, score in enumerate([0.3, 0.5, 0.4]):
        model.step.assign(step)
        saved.append(store.save_best(score))
    assert saved == [True, True, False]
    store.restore(tmp_path / "best")
    assert int(model.step.numpy()) == 1


def test_without_a_checkpoint_training_starts_at_zero(tmp_path):
    assert CheckpointStore(tmp_path, fresh()).restore_latest() == 0


def test_metrics_have_every_step_once_after_a_restart(tmp_path):
    path = tmp_path / "metrics.jsonl"

    def metrics():
        return logs.MetricsFile(path, steps_per_epoch=4, log_every=2)

    model = fresh()
    run(model, 4, [logs.Checkpoints(CheckpointStore(tmp_path, model))])
    run(model, 7, [metrics()])
    with open(path, "a") as file:
        file.write('{"step": 9, "torn')
    CheckpointStore(tmp_path, model).restore_latest()
    run(model, 8, [metrics()])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [6, 8]
    assert lines[-1]["epoch"] == 2
    assert {"loss", "tau", "learning_rate"} <= lines[-1].keys()


def test_means_go_on_over_a_restart(tmp_path):
    lines = []
    for name, parts in (("whole", [7]), ("parted", [2, 5, 7])):
        for steps in parts:
            model = fresh()
            metrics = logs.MetricsFile(
                tmp_path / f"{name}.jsonl", steps_per_epoch=4, log_every=3
            )
            store = CheckpointStore(
                tmp_path / name, model, parts={"metrics": metrics}
            )
            store.restore_latest()
            run(model, steps, [metrics, logs.Checkpoints(store)])
        written = read_metrics(metrics.path)
        lines.append([{**line, "seconds": 0} for line in written])
    assert [line["step"] for line in lines[0]] == [3, 6]
    assert lines[0] == lines[1]


def test_monitors_reach_the_metrics_file(tmp_path):
    model = fresh()
    extractor = FeatureExtractor(model.encoder)
    inputs, labels = signals(32)
    path = tmp_path / "metrics.jsonl"
    run(
        model,
        8,
        [
            monitors.CollapseMonitor(extractor, inputs, every=2),
            monitors.KNNMonitor(
                extractor, inputs, labels, inputs, labels, num_classes=2, k=3
            ),
            logs.MetricsFile(path, steps_per_epoch=4, log_every=100),
        ],
    )
    first, last = read_metrics(path)
    assert "knn_accuracy" in first and "feature_std" not in first
    assert last["step"] == 8 and 0 < last["feature_std"] < 1.2


def test_a_collapsed_encoder_is_named_and_stops_the_run():
    model = fresh()
    model.encoder.layers[2].kernel.assign(
        tf.zeros_like(model.encoder.layers[2].kernel)
    )
    for variable in model.encoder.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    model.optimizer.learning_rate = 0.0
    monitor = monitors.CollapseMonitor(
        FeatureExtractor(model.encoder), signals()[0], stop=True
    )
    with pytest.warns(monitors.CollapseWarning, match="collapse"):
        run(model, 40, [monitor])
    assert int(model.step.numpy()) == 4
    assert monitor.diagnosis.advice


def test_a_loss_that_is_not_a_number_is_named_and_stops_the_run():
    model = fresh()
    model.predictor.layers[0].kernel.assign(
        tf.fill(model.predictor.layers[0].kernel.shape, np.nan)
    )
    monitor = monitors.CollapseMonitor(
        FeatureExtractor(model.encoder), signals()[0], stop=True
    )
    with pytest.warns(monitors.NotFiniteWarning):
        run(model, 40, [monitor])
    assert int(model.step.numpy()) == 1


def test_a_healthy_run_gives_no_warning():
    model = fresh()
    monitor = monitors.CollapseMonitor(
        FeatureExtractor(model.encoder), signals()[0]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", monitors.CollapseWarning)
        warnings.simplefilter("error", monitors.NotFiniteWarning)
        run(model, 4, [monitor])
    assert monitor.diagnosis is None


def test_a_rank_below_half_of_the_first_is_warned_of_once():
    model = fresh()
    monitor = monitors.CollapseMonitor(
        FeatureExtractor(model.encoder), signals()[0], milder="augment.hue=0"
    )
    run(model, 4, [monitor])
    monitor.first_rank *= 4
    with pytest.warns(monitors.CollapseWarning, match="rank fell") as caught:
        run(model, 12, [monitor])
    assert len(caught) == 1 and "augment.hue" in str(caught[0].message)
    assert monitor.diagnosis is None


def test_the_first_minute_is_measured_within_the_first_epoch(tmp_path, capsys):
    model = fresh()
    monitor = monitors.CollapseMonitor(
        FeatureExtractor(model.encoder), signals()[0], every=2
    )
    file = logs.MetricsFile(
        tmp_path / "metrics.jsonl", steps_per_epoch=4, log_every=100
    )
    early = monitors.FirstMinute([monitor], [file], seconds=0.0)
    run(model, 8, [monitor, file, early])
    steps = [
        line["step"]
        for line in read_metrics(tmp_path / "metrics.jsonl")
        if "effective_rank" in line
    ]
    assert steps == [1, 8]
    assert "At step 1: effective_rank" in capsys.readouterr().out


def test_the_time_left_leaves_the_first_step_out(monkeypatch, capsys):
    model, clock = fresh(), [0.0]
    for clocked in ("time.time", "tqdm.std.time"):
        monkeypatch.setattr(clocked, lambda: clock[0])
    bar = logs.ProgressBar(9, batch_size=10, steps_per_epoch=4)
    seen = []

    def tick(step, logs):
        clock[0] += 1000.0 if step == 0 else 1.0

    def look(step, logs):
        kept = bar.bar.format_dict
        seen.append((kept["n"] - kept["initial"], kept["elapsed"]))

    run(
        model,
        9,
        [
            keras.callbacks.LambdaCallback(on_train_batch_end=tick),
            bar,
            keras.callbacks.LambdaCallback(on_train_batch_end=look),
        ],
    )
    assert seen == [(10 * step, step) for step in range(9)]
    assert "epoch 3/3" in capsys.readouterr().err


def test_tensorboard_gets_the_scalars(tmp_path):
    run(fresh(), 4, [logs.TensorBoardScalars(tmp_path, log_every=2)])
    events = next(tmp_path.glob("events*"))
    assert b"train/loss" in events.read_bytes()


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path, monkeypatch):
    clock = itertools.count(2e9, -1e6)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    model = fresh()
    store = CheckpointStore(tmp_path / "checkpoints", model)
    for steps in (3, 6):
        metrics = logs.MetricsFile(
            tmp_path / "metrics.jsonl", steps_per_epoch=4, log_every=1
        )
        store.parts = {"metrics": metrics}
        store.restore_latest()
        run(model, steps, [metrics, logs.Checkpoints(store)])
    assert store.steps() == [3, 6]
    lines = read_metrics(tmp_path / "metrics.jsonl")
    seconds = [line["seconds"] for line in lines]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert seconds == sorted(seconds) and seconds[-1] < 100
