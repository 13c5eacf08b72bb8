"""Two runs in one process do not disturb each other."""

import keras
import numpy as np
import pytest

from byol_tf.training import logs
from byol_tf.training.checkpoints import CheckpointStore
from byol_tf.training.health import FaultMonitor
from byol_tf.training.metrics import read_metrics
from tests.support.waves import fresh, make_model, run

KINDS = {"a": (0.9, None), "b": (0.5, "mixed_bfloat16")}  # tau, dtype


def start(kind, folder):
    """A model as it was when made, with callbacks of its own."""
    model = fresh(make_model, *KINDS[kind])
    metrics = logs.MetricsFile(
        folder / f"{kind}.jsonl", steps_per_epoch=4, log_every=2
    )
    store = CheckpointStore(folder / kind, model, parts={"metrics": metrics})
    return model, [FaultMonitor(), metrics, logs.Checkpoints(store)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The final weights of each run: alone, and in turns with the other."""
    alone, together = {}, {}
    folder = tmp_path_factory.mktemp("alone")
    for kind in KINDS:
        model, callbacks = start(kind, folder)
        run(model, 6, callbacks)
        alone[kind] = model.get_weights()
    folder_together = tmp_path_factory.mktemp("together")
    pairs = {kind: start(kind, folder_together) for kind in KINDS}
    for steps in (3, 6):
        for model, callbacks in pairs.values():
            run(model, steps, callbacks)
    for kind, (model, _) in pairs.items():
        together[kind] = model.get_weights()
    return alone, together, folder, folder_together


@pytest.mark.parametrize("kind", KINDS)
def test_runs_in_turns_give_the_weights_that_each_gives_alone(folders, kind):
    alone, together, *_ = folders
    for ours, theirs in zip(together[kind], alone[kind], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_runs_in_turns_write_the_metrics_that_each_writes_alone(folders, kind):
    lines = [
        [
            {**line, "seconds": 0}
            for line in read_metrics(folder / f"{kind}.jsonl")
        ]
        for folder in folders[2:]
    ]
    assert [line["step"] for line in lines[0]] == [2, 4, 6]
    assert lines[0] == lines[1]


def test_a_run_changes_no_setting_of_the_process(folders):
    assert keras.config.dtype_policy().name == "float32"
    assert keras.config.floatx() == "float32"
