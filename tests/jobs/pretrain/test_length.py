"""Runs that are shortened, lengthened, and stopped by the clock."""

import json
import math

import keras
import pytest

from byol_tf.jobs.pretrain import build
from byol_tf.runs import config as run_config
from byol_tf.runs.identity import FREE
from byol_tf.training.signals import OutOfTimeError
from configs import base
from tests.support.eager import eagerly
from tests.support.runs import tiny_config, write_arrays


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "data.npz"
    write_arrays(path)
    return path


def start(config, workdir, **options):
    """Builds and runs, as the script does; gives the job and its result."""
    config = run_config.config_of_run(
        config, workdir, base.get_config(), accept=FREE
    )
    job = build.pretraining(config, workdir, **options)
    run_config.save_config(config, workdir)
    with eagerly():
        return job, job.run(workdir)


def metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def longer(arrays, tmp_path_factory):
    """A finished run of one epoch that was given two more."""
    workdir = tmp_path_factory.mktemp("longer") / "run"
    short = {"epochs": 1, "optimizer.warmup_epochs": 2.0}
    first = start(tiny_config(arrays, **short), workdir)
    config = tiny_config(arrays, **{**short, "epochs": 3})
    return workdir, first, start(config, workdir)


@pytest.mark.parametrize("epochs,warmup", [(1, 2.0), (2, 2.0), (4, 40.0)])
def test_a_warm_up_shrinks_with_the_run_and_says_so(
    arrays, tmp_path, epochs, warmup
):
    config = tiny_config(
        arrays, epochs=epochs, **{"optimizer.warmup_epochs": warmup}
    )
    rate = build.learning_rate(config, updates=100)
    assert rate.warmup_steps == 25 and rate.total_steps == 100
    (line,) = build.pretraining(config, tmp_path).notes
    assert line.startswith(f"Warm-up: {epochs / 4:g} epochs")


def test_a_warm_up_that_fits_stays_as_it_is(arrays, tmp_path):
    config = tiny_config(arrays, **{"optimizer.warmup_epochs": 1.0})
    assert build.learning_rate(config, updates=100).warmup_steps == 50
    assert build.pretraining(config, tmp_path).notes == []


def test_more_steps_an_update_than_a_run_has_are_refused(arrays, tmp_path):
    config = tiny_config(arrays, **{"optimizer.accumulate_steps": 8})
    config.epochs, config.data.dir = 1, str(tmp_path / "few.npz")
    write_arrays(config.data.dir, count=8)
    with pytest.raises(ValueError, match="2, fewer than the 8 of one"):
        build.pretraining(config, tmp_path)
    config.epochs = 2  # as the line says
    assert build.pretraining(config, tmp_path).total_steps == 8


def test_the_last_epoch_is_measured_however_short_the_run(longer):
    workdir, (_, result), _ = longer
    assert result["epochs"] == 1 and result["notes"]
    measured = [m["epoch"] for m in metrics(workdir) if "knn_accuracy" in m]
    assert measured[0] == 1 and measured[-1] == 3


def test_a_finished_run_goes_on_to_more_epochs(longer):
    workdir, _, (job, result) = longer
    assert result["steps"] == 12 and result["epochs"] == 3
    assert any("3 epochs, 1 before" in line for line in job.notes)
    losses = [line["step"] for line in metrics(workdir) if "loss" in line]
    assert losses == [2, 4, 6, 8, 10, 12]
    kept = run_config.config_of_run(None, workdir, base.get_config())
    assert kept.epochs == 3
    assert "3 epochs, 1 before" in (workdir / "report.html").read_text()


def test_its_schedules_are_those_of_the_new_length(longer):
    workdir, *_ = longer
    tau = {m["step"]: m["tau"] for m in metrics(workdir) if "tau" in m}
    # The mean of two steps, of twelve.
    wanted = [1 - 0.01 * (math.cos(math.pi * k / 12) + 1) / 2 for k in (4, 5)]
    assert tau[6] == pytest.approx(sum(wanted) / 2, abs=1e-6)


def test_less_than_was_done_is_refused(longer, arrays):
    workdir, *_ = longer
    config = tiny_config(arrays, **{"optimizer.warmup_epochs": 2.0})
    with pytest.raises(ValueError, match=r"12 steps already, .* end at 8"):
        start(config, workdir)


def test_nothing_else_of_a_run_may_change(longer, arrays):
    workdir, *_ = longer
    config = tiny_config(arrays, epochs=9, seed=1)
    with pytest.raises(ValueError, match=r"epochs \(3, now 9\).*; seed"):
        start(config, workdir)


def test_a_run_stops_by_the_clock_with_an_encoder_and_goes_on(arrays, tmp_path):
    config = tiny_config(arrays, save_encoder_every=1)
    with pytest.raises(OutOfTimeError, match="stopped at step 1 of 8; run"):
        start(config, tmp_path, stop_after=1e-9)
    early = keras.saving.load_model(tmp_path / "encoder.keras").get_weights()
    _, result = start(config, tmp_path, stop_after=3600)
    assert result["steps"] == 8
    late = keras.saving.load_model(tmp_path / "encoder.keras").get_weights()
    assert (early[0] != late[0]).any()
    # And the encoder of every epoch, as of a run folder.
    kept = sorted(path.name for path in (tmp_path / "encoders").iterdir())
    assert kept == ["epoch00001", "epoch00002"]
    last = keras.saving.load_model(
        tmp_path / "encoders" / kept[-1] / "encoder.keras"
    )
    for ours, theirs in zip(last.get_weights(), late, strict=True):
        assert (ours == theirs).all()
