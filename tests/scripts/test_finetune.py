"""`finetune.py` as a user starts it."""

import functools

import pytest
from PIL import Image

from byol_tf.runs.config import save_config
from configs import base
from tests.support.runs import make_run
from tests.support.scripts import assert_one_clear_line, run_script

finetune = functools.partial(run_script, "finetune.py")


@pytest.mark.parametrize(
    "flags,told",
    [
        (["--labels=few"], "`labels` must"),
        (["--predict=."], "fine-tune first"),
    ],
)
def test_a_wrong_command_ends_with_one_clear_line(tmp_path, flags, told):
    (tmp_path / "encoder.keras").touch()
    save_config(base.get_config(), tmp_path)
    result = finetune(f"--workdir={tmp_path}", *flags)
    assert_one_clear_line(result, told)


def test_from_labels_to_predictions_from_anywhere(tmp_path):
    workdir = make_run(tmp_path)
    result = finetune(
        "--workdir=run",
        "--labels=6-per-class",
        "--labels=50%",
        "--config.learning_rates=(0.1,)",
        "--config.head_learning_rates=(1.0,)",
        "--config.min_steps=2",
        "--config.max_steps=2",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    for told in ("6-per-class", "50%", "fine-tuned", "frozen", "scratch"):
        assert told in result.stdout
    for name in (
        *("finetune.json", "finetune.png", "finetune_subsets.json"),
        *("classifier.keras", "classifier.json"),
    ):
        assert (workdir / name).exists()
    (tmp_path / "new").mkdir()
    Image.new("RGB", (20, 16)).save(tmp_path / "new" / "a.png")
    result = finetune("--workdir=run", "--predict=new", cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Predicted 1 images" in result.stdout
    lines = (workdir / "predictions.csv").read_text().splitlines()
    assert lines[0].startswith("path,status,label") and len(lines) == 2
