"""`train.py` as a user starts it."""

import functools
import os

import pytest

from byol_tf.locks import owned_folder
from tests.support.scripts import assert_one_clear_line, run_script

train = functools.partial(run_script, "train.py")
SHORT = (
    *("epochs=1", "batch_size=250", "optimizer.warmup_epochs=0.0"),
    *("augment.size=12", "augment.jitter=0.0", "augment.blur=(0.0,0.0)"),
    *("augment.solarize=(0.0,0.0)", "encoder.blocks=(1,)"),
    *("encoder.widths=(4,)", "heads.hidden_size=8", "heads.projection_size=4"),
    *("monitor.samples=250", "evaluate.max_train=1000", "evaluate.draws=2"),
)


@pytest.mark.parametrize(
    "flags,told",
    [
        (
            ["--config.batchsize=3"],
            "unknown configuration field 'batchsize' Did you mean",
        ),
        (["--config.batch_size=many"], "batch_size"),
        (["--config.data.source=folder", "--config.data.dir=/nowhere"],
         "/nowhere"),
    ],
)  # fmt: skip
def test_a_wrong_command_ends_with_one_clear_line(tmp_path, flags, told):
    result = train(
        "--config=configs/quickstart.py", f"--workdir={tmp_path}", *flags
    )
    assert_one_clear_line(result, told)
    assert not (tmp_path / "config.yaml").exists()


@pytest.mark.slow
def test_one_epoch_from_the_command_line_and_again_by_the_folder(tmp_path):
    flags = [
        "--config=configs/quickstart.py",
        *(f"--config.{field}" for field in SHORT),
    ]
    first = train(f"--workdir={tmp_path}", *flags)
    assert first.returncode == 0, first.stderr[-2000:]
    assert "kNN accuracy" in first.stdout
    assert "image/s" in first.stderr
    again = train(f"--workdir={tmp_path}")
    assert again.returncode == 0, again.stderr[-2000:]
    tables = [
        result.stdout[result.stdout.index("kNN") :] for result in (first, again)
    ]
    assert tables[0] == tables[1]


def test_a_folder_that_another_process_trains_in_is_refused(tmp_path):
    with owned_folder(tmp_path):
        done = train("--config=configs/base.py", f"--workdir={tmp_path}")
    assert_one_clear_line(done, f"in use by process {os.getpid()} on ")
