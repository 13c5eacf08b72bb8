"""`finetune.py` as a user starts it."""

import functools
import json
import time

import pytest
from PIL import Image

from byol_tf.runs.config import save_config
from configs import base
from configs.commands import finetune as command
from tests.support.runs import make_run
from tests.support.scripts import (
    assert_one_clear_line,
    run_script,
    start_script,
)

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


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_as_one_left_alone(tmp_path):
    workdir = make_run(tmp_path)
    flags = [
        *(f"--workdir={workdir}", "--labels=6-per-class"),
        *("--config.learning_rates=(0.1,)", "--config.max_steps=3"),
        "--config.head_learning_rates=(1.0,)",
    ]

    def outcome():
        told = json.loads((workdir / "finetune.json").read_text())
        variants = told["fractions"]["6-per-class"]["variants"]
        return {name: v["test"] for name, v in variants.items()}

    assert finetune(*flags).returncode == 0
    alone = outcome()
    (workdir / "finetune.json").unlink()
    # Before, while and after it trains.
    for awaited in ("finetune_subsets.json", "classifier.json"):
        (workdir / awaited).unlink()
        process = start_script("finetune.py", *flags, folder=tmp_path)
        deadline = time.monotonic() + 120
        while not (workdir / awaited).exists() and process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.join()
    again = finetune(*flags)
    assert again.returncode == 0, again.stderr[-2000:]
    assert outcome() == alone
    left = [p.name for p in workdir.iterdir() if p.name.startswith(".")]
    assert not left


@pytest.mark.parametrize(
    "flags,added",
    [
        (["--config.epochs=3"], ["--config.min_steps=30"]),
        (["--task=detection", "--config.epochs=3"], ["--config.min_steps=80"]),
        (
            [
                *("--task=keypoints", "--config.task.head=vector"),
                "--config.epochs=3",
            ],
            ["--config.min_steps=30"],
        ),
        (["--config.epochs=3", "--config.min_steps=9"], []),
        (["--config.epochs=60"], []),
        (["--config=mine.py", "--config.epochs=3"], []),
        ([], []),
    ],
)
def test_fewer_epochs_need_fewer_steps(flags, added, capsys):
    """So that shortening a run takes one flag."""
    arguments = command.expand(flags)
    assert arguments[len(arguments) - len(added) :] == added
    assert ("min_steps" in " ".join(arguments)) == bool(
        added or "--config.min_steps=9" in flags
    )
    assert capsys.readouterr().out.count("Steps:") == len(added)
