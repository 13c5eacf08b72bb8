"""The callbacks of the guide on tracking, against stand-ins for both."""

import contextlib
import pathlib
import re
import sys
import types

import pytest

import byol_tf
from byol_tf.jobs.pretrain import build
from tests.support.eager import eagerly
from tests.support.runs import tiny_config, write_arrays

GUIDE = pathlib.Path(__file__).parents[2] / "docs/guides/tracking.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.S)


class Tracker(types.ModuleType):
    """Records logged numbers; accepts any other call of W&B and MLflow."""

    def __init__(self, name):
        super().__init__(name)
        self.sent, self.others = [], []

    def _send(self, numbers, *, step):
        assert all(type(value) is float for value in numbers.values())
        self.sent.append((step, dict(numbers)))

    log = log_metrics = _send

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.others.append(name)
            return contextlib.nullcontext()

        return call


@pytest.mark.parametrize(
    "name,block", list(zip(("wandb", "mlflow"), BLOCKS, strict=True))
)
def test_the_callback_sends_losses_and_measurements(
    tmp_path, monkeypatch, name, block
):
    tracker, given = Tracker(name), []
    monkeypatch.setitem(sys.modules, name, tracker)
    monkeypatch.setattr(
        byol_tf, "pretrain", lambda *_, callbacks: given.extend(callbacks)
    )
    exec(block.replace("% 50", "% 2"), {})
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(tmp_path / "data.npz", epochs=1)
    job = build.pretraining(config, tmp_path / "run", callbacks=given)
    with eagerly():
        job.run(tmp_path / "run")
    steps = [step for step, numbers in tracker.sent if "loss" in numbers]
    assert steps == [2, 4]
    assert tracker.sent[-1][0] == 4
    assert {"knn_accuracy", "effective_rank"} <= set(tracker.sent[-1][1])
    assert tracker.others
