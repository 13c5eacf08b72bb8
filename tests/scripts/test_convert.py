"""`convert.py` as a user starts it."""

import json
import os

import keras
import numpy as np
import pytest
from PIL import Image

from byol_tf.jobs.convert.build import convert_file
from byol_tf.jobs.convert.conversion import relative_difference
from tests.support import official_file
from tests.support.encoders import undrawn
from tests.support.official_file import TINY
from tests.support.scripts import assert_one_clear_line, run_script


def test_the_file_may_stand_first_and_a_table_is_printed(tmp_path):
    to = tmp_path / "tiny.keras"
    done = run_script("convert.py", TINY, f"--to={to}")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert rows["parameters"] == "19,072"
    assert rows["representation"] == "8 numbers"
    about = json.loads((tmp_path / "tiny.json").read_text())
    assert rows["sha256"] == about["sha256"]
    assert keras.saving.load_model(to).output_shape == (None, 8)


def test_weights_of_a_name_become_a_run_folder():
    done = run_script("convert.py", "efficientnet_lite0", "--to=a.keras")
    assert_one_clear_line(done, "efficientnet_lite0 becomes a run folder")


class Evil:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_malicious_file_ends_in_one_line_and_runs_nothing(tmp_path):
    path = tmp_path / "evil.pkl"
    official_file.write(path, {}, {}, rng=Evil(f"touch {tmp_path}/executed"))
    done = run_script("convert.py", path, f"--to={tmp_path / 'a.keras'}")
    assert_one_clear_line(done, "posix.system")
    assert [p.name for p in tmp_path.iterdir()] == ["evil.pkl"]


def test_where_to_must_be_said_once():
    done = run_script("convert.py", TINY, "--to=a.keras", "--workdir=b")
    assert_one_clear_line(done, "either --to or --workdir")


@pytest.mark.slow
def test_a_run_folder_is_taken_by_later_scripts(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(80):
        path = tmp_path / "images" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
        pixels[: 10 if index % 2 else 0] //= 4
        Image.fromarray(pixels).save(path)
    run = tmp_path / "run"
    done = run_script("convert.py", TINY, f"--workdir={run}")
    assert done.returncode == 0, done.stderr[-2000:]
    done = run_script(
        "eval_linear.py",
        f"--workdir={run}",
        f"--config.data.dir={tmp_path / 'images'}",
        "--config.data.image_size=32",
        "--config.size=32",
        "--config.sgd.epochs=0",
        "--config.logistic.penalties=(0.01,)",
        "--config.bootstrap.resamples=20",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (run / "eval_linear_images.json").exists()
    again = run_script("convert.py", TINY, f"--workdir={run}")
    assert_one_clear_line(again, "exists already")


@pytest.mark.slow
def test_a_full_size_resnet50_computes_what_numpy_does(tmp_path):
    shapes = official_file.shapes(
        "res_net50", (3, 4, 6, 3), (64, 128, 256, 512), bottleneck=True
    )
    params, state = official_file.random_checkpoint(shapes)
    path = official_file.write(tmp_path / "resnet50.pkl", params, state)
    to = tmp_path / "encoder.keras"
    with undrawn():
        about = convert_file(path, to, encoder="resnet50", width=1)
    assert about["parameters"] == 23_508_032
    assert about["features"] == 2048
    images = np.random.default_rng(1).random((1, 40, 40, 3), np.float32)
    reference = official_file.Encoder(params, state)(images)
    ours = keras.saving.load_model(to)(images)
    assert relative_difference(ours, reference) < 1e-5
