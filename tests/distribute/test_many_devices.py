"""Two devices, and two processes, do what one device does with all of it."""

import json
import os
import signal
import time

import numpy as np
import pytest

from byol_tf.training.metrics import read_metrics
from tests.support import killing, workers
from tests.support.runs import write_arrays

pytestmark = pytest.mark.slow

# Of losses and weights after 20 steps in float32, whose sums have another
# order on two replicas; both are of about 1.
TOLERANCE = 5e-5
NOTICED = 60  # seconds until a worker has said that another died, and ended
COUNTED = ("loss", "probe_loss", "batch_feature_std", "probe_accuracy")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each kind of run saved, by its name and the worker's number."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "two").mkdir()
    ports = workers.free_ports(2)
    log = folder / "log"
    processes = [workers.start("on_devices", log, str(folder))] + [
        workers.start(
            "as_worker", log, str(folder / "two"), worker=i, ports=ports
        )
        for i in range(2)
    ]
    assert [killing.finish(p) for p in processes] == [0, 0, 0], ends(log)
    names = {
        "one": "one/worker0",
        "two devices": "mirrored/worker0",
        "two processes": "two/worker0",
        "the second process": "two/worker1",
    }
    saved = {k: np.load(folder / f"{v}.npz") for k, v in names.items()}
    for name in ("one", "mirrored"):
        saved[f"keras {name}"] = np.load(folder / name / "keras_norm.npz")
    saved["skipped"] = json.loads((folder / "skipped.json").read_text())
    return saved


def ends(log):
    return log.read_text(errors="replace")[-2000:]


MANY = ("two devices", "two processes", "the second process")


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("key", COUNTED)
def test_the_logs_of_twenty_steps_are_those_of_one_device(found, name, key):
    one = found["one"][key]
    assert len(one) == workers.STEPS and np.ptp(one) > 0.01
    np.testing.assert_allclose(found[name][key], one, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", MANY)
def test_the_weights_are_those_of_one_device(found, name):
    weights = [k for k in found["one"].files if k.startswith("arr_")]
    assert len(weights) > 30
    for key in weights:
        np.testing.assert_allclose(
            found[name][key], found["one"][key], rtol=0, atol=TOLERANCE
        )


def test_the_two_processes_have_the_same_weights_bit_for_bit(found):
    first, second = found["two processes"], found["the second process"]
    for key in first.files:
        if key.startswith("arr_"):
            np.testing.assert_array_equal(first[key], second[key])


def test_each_replica_is_given_its_own_part_of_the_same_batches(found):
    one = found["one"]["given"]
    devices = found["two devices"]["given"]
    processes = np.concatenate(
        [found[name]["given"] for name in MANY[1:]], axis=1
    )
    assert one.shape == (20, 1, 16) and devices.shape == (20, 2, 8)
    for parts in (devices, processes):
        np.testing.assert_array_equal(parts.reshape(20, 1, 16), one)
    for epoch in processes.reshape(5, -1):
        assert len(np.unique(epoch)) == len(epoch) == 64


def test_the_replicas_draw_different_views_of_the_same_images(found):
    one, devices = found["one"]["drawn"], found["two devices"]["drawn"]
    assert np.abs(devices[0] - devices[1]).mean() > 0.1
    np.testing.assert_array_equal(devices[0], one[0])
    for replica, name in enumerate(MANY[1:]):
        np.testing.assert_array_equal(found[name]["drawn"][0], devices[replica])


def test_batch_norms_of_keras_are_synchronized_too(found):
    one, two = found["keras one"], found["keras mirrored"]
    assert np.ptp(one["losses"]) > 0.01
    for key in one.files:
        np.testing.assert_allclose(two[key], one[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "scaling_sgd"])
def test_a_nan_on_one_replica_leaves_no_trace_on_any(found, optimizer):
    skipped, untouched, alike = zip(*found["skipped"][optimizer], strict=True)
    assert skipped == (0, 1, 1, 0)
    assert untouched == (False, True, True, False)
    assert all(alike)


# ---- a worker that dies ---------------------------------------------------

EPOCHS = 10  # of four steps
FLAGS = {
    **killing.FLAGS,
    "config.epochs": EPOCHS,
    # The networks and the update that are traced soonest.
    "config.objective.name": "simclr",
    "config.optimizer.name": "sgd",
    "config.optimizer.accumulate_steps": 1,
    "config.optimizer.warmup_epochs": 1.0,
    "strategy": "multi_worker",
}


def train(folder, name, worker, ports, **flags):
    flags = {
        **FLAGS,
        "config.data.dir": folder / "data.npz",
        "workdir": folder / name,
        **flags,
    }
    arguments = [f"--{key}={value}" for key, value in flags.items()]
    log = folder / f"worker{worker}.log"
    return workers.start(
        "script", log, "train.py", *arguments, worker=worker, ports=ports
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run whose second worker was killed, and which then went on."""
    folder = tmp_path_factory.mktemp("workers")
    write_arrays(folder / "data.npz")
    ports = workers.free_ports(2)
    # A folder of its own shows whether the second worker writes.
    names = ("run", "nothing")
    first = [train(folder, n, i, ports) for i, n in enumerate(names)]
    reached = workers.wait_for_step(first[0], folder / "run", 14)
    os.kill(first[1].pid, signal.SIGKILL)
    begin = time.monotonic()
    status = killing.finish(first[0])
    seconds = time.monotonic() - begin
    killing.finish(first[1])
    said = (folder / "worker0.log").read_text(errors="replace")
    assert reached, said[-2000:]
    kept = sorted((folder / "run" / "checkpoints").glob("step-*"))
    ports = workers.free_ports(2)
    again = [train(folder, "run", i, ports) for i in range(2)]
    return {
        "folder": folder,
        "status": status,
        "seconds": seconds,
        "said": said,
        "kept": [int(path.name[5:]) for path in kept],
        "ends": [killing.finish(process) for process in again],
    }


def test_the_other_worker_ends_with_one_clear_line(killed):
    assert killed["status"] == 2 and killed["seconds"] < NOTICED
    lines = killed["said"].splitlines()
    (line,) = [line for line in lines if line.startswith("error:")]
    assert "another worker of the run died" in line and "worker 0 of" in line
    assert "Traceback" not in killed["said"]


def test_only_the_chief_writes(killed):
    assert not (killed["folder"] / "nothing").exists()


def test_all_go_on_from_the_last_checkpoint(killed):
    assert killed["ends"] == [0, 0], ends(killed["folder"] / "worker0.log")
    for worker in range(2):
        log = (killed["folder"] / f"worker{worker}.log").read_text()
        assert f"Continuing at step {killed['kept'][-1]}." in log
    result = json.loads((killed["folder"] / "run" / "train.json").read_text())
    assert result["steps"] == EPOCHS * 4


def test_no_step_is_twice_or_missing(killed):
    metrics = read_metrics(killed["folder"] / "run" / "metrics.jsonl")
    steps = [line["step"] for line in metrics if "loss" in line]
    assert steps == list(range(7, EPOCHS * 4 + 1, 7))
