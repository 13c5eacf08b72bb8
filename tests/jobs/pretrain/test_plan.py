"""Runs whose recipe leaves something open."""

import json
import re

import pytest

from byol_tf.jobs.pretrain import build, plan
from byol_tf.runs import config as run_config
from tests.support.runs import tiny_config, write_arrays

OPEN = {"epochs": 0, "minutes": 0.01, "batch_size": 0}


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "data.npz"
    write_arrays(path)
    return path


@pytest.fixture(scope="module")
def begun(arrays, tmp_path_factory):
    """Folder, configuration and job of a run that has been decided on."""
    workdir = tmp_path_factory.mktemp("runs") / "run"
    config = tiny_config(arrays, **OPEN)
    job = build.planned(config, workdir)
    run_config.save_config(config, workdir)
    return workdir, config, job


def test_open_fields_are_decided_in_the_configuration(begun):
    _, config, job = begun
    assert config.epochs >= 1 and config.batch_size == 16
    assert job.settings.epochs == config.epochs
    assert job.settings.batch_size == 16


def test_the_lines_say_why_and_come_with_the_run(begun):
    workdir, config, job = begun
    about = json.loads((workdir / "plan.json").read_text())
    assert job.notes[: len(about["lines"])] == about["lines"]
    assert any(line.startswith("Length:") for line in about["lines"])
    assert about["decided"]["epochs"] == config.epochs
    assert about["open"] == {"epochs": 0, "batch_size": 0}


def test_what_is_held_out_and_the_precision_are_said(arrays, tmp_path):
    left_open = {**OPEN, "precision": "auto", "data.test_split": ""}
    left_open["epochs"] = 1
    config = tiny_config(arrays, **left_open)
    notes = "\n".join(build.planned(config, tmp_path).notes)
    assert re.search(r"Held out: \d+ of \d+, to judge by", notes)
    assert re.search(r"Precision: \w+, the fastest", notes)


@pytest.mark.parametrize("accumulate,epochs", [(1, 30), (8, 3)])
def test_the_epochs_are_what_the_time_is_enough_for(
    accumulate, epochs, arrays, tmp_path, monkeypatch
):
    monkeypatch.setattr(plan, "seconds_per_step", lambda job: 0.5)
    config = tiny_config(arrays, epochs=0, minutes=1.0)
    config.optimizer.accumulate_steps = accumulate
    build.planned(config, tmp_path)  # 64 images in batches of 16, or of 2
    assert config.epochs == epochs


def test_less_than_an_epoch_of_time_is_said(arrays, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "seconds_per_step", lambda job: 30)
    config = tiny_config(arrays, epochs=0, minutes=1.0)
    (line, *_) = build.planned(config, tmp_path).notes
    assert line.startswith("Length: epochs=1, the least, 2.0 minutes, since")


def test_a_run_is_not_decided_anew(begun, arrays, monkeypatch):
    workdir, decided, _ = begun
    monkeypatch.setattr(plan, "seconds_per_step", lambda job: 1e-6)
    config = tiny_config(arrays, **OPEN)
    plan.close(config, workdir)
    assert config == decided
    assert build.planned(config, workdir).settings.epochs == decided.epochs


def test_what_the_command_line_gives_later_is_not_covered(begun, arrays):
    workdir, decided, _ = begun
    config = tiny_config(arrays, **{**OPEN, "epochs": 7})
    plan.close(config, workdir)
    assert config.epochs == 7
    assert config.batch_size == decided.batch_size


def test_a_run_without_a_length_is_refused(arrays, tmp_path):
    config = tiny_config(arrays, epochs=0)
    with pytest.raises(ValueError, match=r"--minutes=60.*--config.epochs=100"):
        build.planned(config, tmp_path)


@pytest.mark.parametrize(
    "given,advice", [({}, " --config.epochs=100"), ({"epochs": 2}, "")]
)
def test_several_workers_are_given_what_is_open(
    given, advice, arrays, tmp_path, monkeypatch
):
    monkeypatch.setattr(build, "several_workers", lambda strategy: True)
    config = tiny_config(arrays, **{**OPEN, **given})
    advice = re.escape(f"such as --config.batch_size=16{advice}")
    with pytest.raises(ValueError, match=f"several workers .*{advice}$"):
        build.planned(config, tmp_path)
    closed = tiny_config(arrays, **{**OPEN, "batch_size": 16, "epochs": 2})
    assert build.planned(closed, tmp_path).settings.epochs == 2


def test_the_timed_steps_leave_no_trace_in_the_run(begun, arrays, tmp_path):
    _, config, job = begun
    given = tiny_config(arrays, epochs=config.epochs)
    other = build.pretraining(given, tmp_path)
    for ours, theirs in zip(
        job.model.encoder.get_weights(),
        other.model.encoder.get_weights(),
        strict=True,
    ):
        assert (ours == theirs).all()
