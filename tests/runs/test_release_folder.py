"""A run folder that release 0.1 wrote, and what is done with it today."""

import pathlib
import shutil

import numpy as np
import pytest

from byol_tf.jobs.pretrain import build as builders
from byol_tf.runs import config as run_config
from byol_tf.runs.encoder import load_encoder
from byol_tf.training import logs
from configs import base
from tests.jobs.pretrain.test_run import write_arrays

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "run_of_release_0_1"
STEPS = 16


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """A copy of the folder beside its data, as the run saw them."""
    shutil.copytree(FOLDER, tmp_path / "run")
    write_arrays(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def job_of(workdir):
    config = run_config.config_of_run(None, workdir, base.get_config())
    return builders.pretraining(config, workdir)


def test_its_encoder_loads(workdir):
    encoder = load_encoder(workdir)
    images = np.zeros((2, 12, 12, 3), np.float32)
    assert np.isfinite(encoder.predict(images, verbose=0)).all()


def test_it_continues_from_its_checkpoint_to_the_same_end(workdir):
    shutil.rmtree(workdir / "checkpoints" / f"step-{STEPS:09d}")
    before = load_encoder(workdir).get_weights()
    result = job_of(workdir).run(workdir)
    assert result["steps"] == STEPS and result["skipped_steps"] == 0
    for ours, theirs in zip(
        load_encoder(workdir).get_weights(), before, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    lines = logs.read_metrics(workdir / "metrics.jsonl")
    losses = [line["step"] for line in lines if "loss" in line]
    assert losses == list(range(2, STEPS + 1, 2))
