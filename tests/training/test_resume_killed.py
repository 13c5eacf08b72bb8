"""Processes that are killed at random end as one that was left alone.

Two kills, one of each signal; set BYOL_KILLS for another number.
"""

import json
import os
import re
import signal

import keras
import numpy as np
import pytest

from byol_tf.training.metrics import read_metrics
from tests.support import killing
from tests.support.runs import write_arrays

KILLS = int(os.environ.get("BYOL_KILLS", "2"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """An undisturbed run, one that was killed again and again, and how."""
    folder = tmp_path_factory.mktemp("killed")
    data = folder / "data.npz"
    write_arrays(data)

    def start(name):
        return killing.start(folder / name, data, folder / f"{name}.log")

    calm = start("calm")
    assert killing.finish(calm) == 0, (folder / "calm.log").read_text()[-2000:]
    rng = np.random.default_rng(0)
    steps = np.sort(rng.integers(1, 0.9 * killing.STEPS, KILLS))
    ends = [
        killing.kill_at(
            start("killed"),
            folder / "killed",
            step,
            rng.uniform(0, 0.05),
            signal.SIGTERM if index % 2 else signal.SIGKILL,
        )
        for index, step in enumerate(steps)
    ]
    last = start("killed")
    assert killing.finish(last) == 0, (folder / "killed.log").read_text()[
        -2000:
    ]
    return folder / "calm", folder / "killed", ends


def newest(workdir):
    return sorted((workdir / "checkpoints").glob("step-*"))[-1]


def without_times(lines):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.mark.slow
def test_the_processes_were_killed_while_they_trained(folders):
    _, killed, ends = folders
    assert ends == [0 if i % 2 else -signal.SIGKILL for i in range(KILLS)]
    log = killed.with_suffix(".log").read_text(errors="replace")
    stops = re.findall(r"stopped at step (\d+) of (\d+); run the same", log)
    assert len(stops) == ends.count(0)
    assert any(0 < int(step) < killing.STEPS for step, _ in stops)


@pytest.mark.slow
def test_the_state_at_the_end_is_the_same_bit_for_bit(folders):
    sums = []
    for workdir in folders[:2]:
        manifest = json.loads((newest(workdir) / "checkpoint.json").read_text())
        assert manifest["step"] == killing.STEPS
        sums.append(
            {k: v for k, v in manifest["sha256"].items() if "state" in k}
        )
    assert len(sums[0]) == 2 and sums[0] == sums[1]


@pytest.mark.slow
def test_the_encoders_are_the_same_bit_for_bit(folders):
    weights = [
        keras.saving.load_model(workdir / "encoder.keras").get_weights()
        for workdir in folders[:2]
    ]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_the_metrics_are_the_same_with_no_step_twice_or_missing(folders):
    calm, killed = (
        read_metrics(workdir / "metrics.jsonl") for workdir in folders[:2]
    )
    assert without_times(calm) == without_times(killed)
    losses = [line["step"] for line in killed if "loss" in line]
    assert losses == list(range(7, killing.STEPS + 1, 7))
    measured = [line["step"] for line in killed if "knn_accuracy" in line]
    assert measured == list(range(40, killing.STEPS + 1, 40))


@pytest.mark.slow
def test_time_goes_on_where_it_was(folders):
    lines = read_metrics(folders[1] / "metrics.jsonl")
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)


@pytest.mark.slow
def test_the_best_is_the_same_and_no_more_checkpoints_stay(folders):
    best = []
    for workdir in folders[:2]:
        names = {path.name for path in (workdir / "checkpoints").iterdir()}
        assert len(names) == 3 and "best" in names
        manifest = workdir / "checkpoints" / "best" / "checkpoint.json"
        best.append(json.loads(manifest.read_text()))
    assert best[0]["score"] == best[1]["score"]
    assert best[0]["step"] == best[1]["step"]
