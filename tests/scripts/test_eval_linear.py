"""`eval_linear.py` as a user starts it."""

import functools

import pytest

from tests.support.runs import make_run
from tests.support.scripts import assert_one_clear_line, run_script

evaluate = functools.partial(run_script, "eval_linear.py")


@pytest.mark.parametrize(
    "flags,told",
    [([], "no encoder in"), (["--config.data.folder=x"], "folder")],
)
def test_a_wrong_command_ends_with_one_clear_line(tmp_path, flags, told):
    result = evaluate(f"--workdir={tmp_path}", *flags)
    assert_one_clear_line(result, told)


def test_the_folder_alone_is_enough_from_anywhere(tmp_path):
    workdir = make_run(tmp_path)
    result = evaluate(
        "--workdir=run",
        "--config.sgd.epochs=1",
        "--config.sgd.batch_size=60",
        "--config.bootstrap.resamples=50",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    for told in ("raw pixels", "random encoder", "pretrained", "linear (SGD)"):
        assert told in result.stdout
    assert (workdir / "eval_linear.json").exists()
    assert (workdir / "eval_linear_confusion.png").exists()
    assert "pretrained: SGD" in result.stderr
