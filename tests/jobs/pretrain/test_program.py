"""Pretraining in one call of a program."""

import signal

import numpy as np
import pytest
from PIL import Image

import byol_tf
from byol_tf.files import write_json
from byol_tf.jobs.pretrain import program
from configs import base
from tests.support.eager import eagerly

SMALL = {
    "augment.jitter": 0.0,
    "augment.blur": "(0.0, 0.0)",
    "encoder.blocks": "(1,)",
    "encoder.widths": "(4,)",
    "heads.hidden_size": 8,
    "heads.projection_size": 4,
    "monitor.samples": 8,
    "precision": "float32",
    "epochs": 1,
}


@pytest.fixture(name="photos")
def _photos(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(40):
        size = (20, 16 + number % 5, 3)
        path = tmp_path / "photos" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(path)
    return path.parent


@pytest.mark.slow
def test_a_folder_becomes_an_encoder_and_the_signals_stay(photos, tmp_path):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with eagerly():
        encoder = byol_tf.pretrain(photos, tmp_path / "run", fields=SMALL)
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    assert after == before
    image = encoder.decode(photos / "0.png")
    batch = encoder.preprocessor(image[None])
    assert encoder.model(batch).shape == (1, 4)
    again = byol_tf.pretrain(photos, tmp_path / "run", fields=SMALL)
    np.testing.assert_array_equal(again.model(batch), encoder.model(batch))


def test_official_weights_are_read_as_by_the_command(photos, tmp_path):
    weights = tmp_path / "official.pkl"
    weights.write_bytes(b"no pickle")
    fields = {**SMALL, "encoder.weights": str(weights), "batch_size": 8}
    with pytest.raises(ValueError, match=r"official\.pkl.*pickle"):
        byol_tf.pretrain(photos, tmp_path / "run", fields=fields)


def test_a_run_may_be_below_the_home_folder(photos, tmp_path, monkeypatch):
    def stop(config, workdir, *_, **options):
        raise ValueError(f"a run in {workdir}")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(program, "run_config_in", stop)
    with pytest.raises(ValueError, match=f"a run in {tmp_path}/run"):
        byol_tf.pretrain("~/photos", "~/run", fields=SMALL)
    with pytest.raises(ValueError, match=f"no encoder in {tmp_path}/run"):
        byol_tf.load_encoder("~/run")


def test_a_plan_left_by_a_failed_start_is_not_followed(tmp_path, monkeypatch):
    def stop(config, workdir, *_, **options):
        raise ValueError(f"a batch of {config.batch_size}")

    plan = {"decided": {"batch_size": 8}, "open": {"batch_size": 0}}
    write_json(tmp_path / "plan.json", plan)
    monkeypatch.setattr(program.build, "planned", stop)
    config = base.get_config()
    config.batch_size = 0
    with pytest.raises(ValueError, match="a batch of 0"):
        program.run_config_in(config, tmp_path, base.get_config())


def test_a_wrong_field_is_named(photos, tmp_path):
    with pytest.raises(ValueError, match=r"no field.*colour"):
        byol_tf.pretrain(photos, tmp_path / "run", fields={"colour": 1})


def test_data_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ValueError, match="there is no folder '/nowhere'"):
        byol_tf.pretrain("/nowhere", tmp_path / "run")
