"""Model-FLOPs utilisation of a run."""

import json

import pytest

from byol_tf.jobs.pretrain import build as builders
from byol_tf.training import flops, utilisation
from tests.support.runs import tiny_config, write_arrays


@pytest.fixture
def clock(monkeypatch):
    times = []
    monkeypatch.setattr(utilisation.time, "perf_counter", lambda: times.pop(0))
    return times


def mfu(callback, logs=None):
    logs = {} if logs is None else logs
    callback.on_train_batch_end(0, logs)
    return logs["mfu"]


def test_mfu_is_the_share_of_the_peak(clock):
    # 8 images of 1 GFLOP in 0.1 s are 80 GFLOP/s, 8 % of 1 TFLOP/s.
    callback = utilisation.Utilisation(1e9, 8, peak_tflops=1.0)
    clock += [10.0, 10.1, 10.2]
    callback.on_epoch_begin(0)
    assert mfu(callback) == pytest.approx(0.08)
    assert mfu(callback) == pytest.approx(0.08)


def test_mfu_is_of_the_last_steps_only(clock):
    callback = utilisation.Utilisation(1e9, 8, peak_tflops=1.0, steps=2)
    clock += [0.0, 50.0, 50.1, 50.2]  # the first step compiles
    callback.on_epoch_begin(0)
    mfu(callback), mfu(callback)
    assert mfu(callback) == pytest.approx(0.08)


def test_time_between_epochs_does_not_count(clock):
    callback = utilisation.Utilisation(1e9, 8, peak_tflops=1.0)
    clock += [0.0, 0.1, 60.0, 60.1]
    callback.on_epoch_begin(0)
    mfu(callback)
    callback.on_epoch_begin(1)
    assert mfu(callback) == pytest.approx(0.08)


def test_the_logs_keep_what_they_had(clock):
    callback = utilisation.Utilisation(1e9, 8, peak_tflops=1.0)
    clock += [0.0, 0.1]
    callback.on_epoch_begin(0)
    logs = {"loss": 1.5}
    mfu(callback, logs)
    assert logs["loss"] == 1.5


def test_a_run_reached_its_operations_by_its_seconds():
    assert utilisation.throughput(2e9, 1000, 4.0) == {
        "flops_per_image": 2e9,
        "tflops": 0.5,
    }


def test_a_run_without_steps_reached_nothing():
    assert utilisation.throughput(2e9, 0, 0.0)["tflops"] is None


@pytest.fixture
def data(tmp_path):
    write_arrays(tmp_path / "data.npz", labels=False)
    return tmp_path / "data.npz"


@pytest.mark.slow
def test_a_run_writes_mfu_and_what_it_reached(data, tmp_path):
    config = tiny_config(data, epochs=1, peak_tflops=0.001)
    job = builders.pretraining(config, tmp_path / "run")
    result = job.run(tmp_path / "run")
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    shown = [line["mfu"] for line in lines if "loss" in line]
    assert len(shown) == 2 and all(share > 0 for share in shown)
    needed = flops.step(job.model)
    assert result["flops_per_image"] == needed
    assert result["tflops"] == pytest.approx(
        needed * 64 / result["training_seconds"] / 1e12
    )


def test_without_a_peak_no_share_is_shown(data, tmp_path):
    job = builders.pretraining(tiny_config(data), tmp_path)
    assert job.callbacks(tmp_path) == []
