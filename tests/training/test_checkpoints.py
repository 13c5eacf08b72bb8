"""Damaged checkpoints, full disks, and what a killed process leaves."""

import errno
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import byol_tf
from byol_tf.training import checkpoints
from byol_tf.training.checkpoints import CheckpointStore
from byol_tf.training.logs import MetricsFile
from byol_tf.training.metrics import read_metrics
from tests.support.disks import disk
from tests.support.waves import make_model


class Counter:
    """A part of a run that is not the model."""

    def __init__(self):
        self.count = 0

    def state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state.get("count", 0)


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture
def store(model, tmp_path):
    """Checkpoints of steps 1 and 2."""
    store = CheckpointStore(tmp_path, model)
    for step in (1, 2):
        model.step.assign(step)
        store.save()
    return store


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


FILES = ("state.data-00000-of-00001", "state.index", "parts.json")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, remove])
@pytest.mark.parametrize("name", [*FILES, "checkpoint.json"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    store, caplog, damage, name
):
    damage(store.directory / "step-000000002" / name)
    with caplog.at_level("WARNING"):
        assert store.restore_latest() == 1
    assert "step-000000002 is damaged" in caplog.text
    assert int(store.model.step.numpy()) == 1


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"sha256": {}}'])
def test_a_manifest_that_promises_nothing_is_not_believed(store, text):
    path = store.directory / "step-000000002" / "checkpoint.json"
    path.write_text(text)
    assert store.restore_latest() == 1


def test_if_all_are_damaged_the_run_does_not_start_from_scratch(store):
    for step in (1, 2):
        truncate(store.directory / f"step-00000000{step}" / FILES[0])
    with pytest.raises(ValueError, match="no checkpoint that is whole"):
        store.restore_latest()


def test_a_checkpoint_of_another_model_is_refused(store):
    other = make_model()
    other.extra = other.add_weight(shape=(3,), name="extra")
    with pytest.raises(ValueError, match="not a checkpoint of this model"):
        CheckpointStore(store.directory, other).restore_latest()


def test_parts_go_on_where_they_were(model, tmp_path):
    first, second = Counter(), Counter()
    first.count = 7
    CheckpointStore(tmp_path, model, parts={"counter": first}).save()
    CheckpointStore(tmp_path, model, parts={"counter": second}).restore_latest()
    assert second.count == 7


def test_dropout_goes_on_where_it_was(tmp_path):
    def made():
        encoder = keras.Sequential(
            [keras.Input((8,)), keras.layers.Dropout(0.5)]
        )
        model = byol_tf.SimSiam(encoder, hidden_size=4, projection_size=2)
        model.compile(keras.optimizers.SGD(0.1))
        return model, model.encoder.layers[0]

    ones = np.ones((2, 8), np.float32)
    model, dropout = made()
    dropout(ones, training=True)
    CheckpointStore(tmp_path, model).save()
    other, resumed = made()
    CheckpointStore(tmp_path, other).restore_latest()
    np.testing.assert_array_equal(
        resumed(ones, training=True), dropout(ones, training=True)
    )


def test_a_part_that_a_checkpoint_does_not_know_begins_anew(store):
    part = Counter()
    part.count = 7
    store.parts = {"counter": part}
    store.restore_latest()
    assert part.count == 0


def test_a_damaged_best_is_replaced(model, tmp_path):
    store = CheckpointStore(tmp_path, model)
    store.save_best(0.9)
    truncate(tmp_path / "best" / "checkpoint.json")
    assert store.save_best(0.1)
    assert json.loads((tmp_path / "best/checkpoint.json").read_text())[
        "score"
    ] == pytest.approx(0.1)


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_for_tensorflow(*args, **kwargs):
    raise tf.errors.ResourceExhaustedError(None, None, "No space left; x")


@pytest.mark.parametrize("where", ["tensorflow", "manifest", "rename"])
def test_a_full_disk_is_one_clear_error_and_spoils_nothing(
    store, monkeypatch, where
):
    if where == "tensorflow":
        monkeypatch.setattr(store._checkpoint, "write", full_for_tensorflow)
    elif where == "manifest":
        monkeypatch.setattr(checkpoints, "write_json", full)
    else:
        monkeypatch.setattr(checkpoints, "_replace", full)
    store.model.step.assign(3)
    with pytest.raises(OSError, match=r"step-000000003 cannot .* No space"):
        store.save()
    monkeypatch.undo()
    assert store.steps() == [1, 2]
    assert not list(store.directory.glob(".*"))
    assert store.restore_latest() == 2


def test_a_disk_that_fills_up_keeps_the_checkpoints_before(model, tmp_path):
    with disk(tmp_path, "size=256k"):
        store = CheckpointStore(tmp_path, model, keep=100)
        with pytest.raises(OSError, match=r"cannot be written: .*[Nn]o space"):
            for step in range(1, 100):
                model.step.assign(step)
                store.save()
        last = store.steps()[-1]
        assert last == step - 1
        assert not list(tmp_path.glob(".*"))
        assert store.restore_latest() == last


def test_a_disk_that_may_only_be_read_is_named(model, tmp_path):
    with disk(tmp_path, "ro"):
        store = CheckpointStore(tmp_path / "checkpoints", model)
        with pytest.raises(OSError, match="cannot be written: Read-only"):
            store.save()


def test_metrics_on_a_full_disk_are_one_clear_error(model, tmp_path):
    with disk(tmp_path, "size=16k"):
        (tmp_path / "full").write_bytes(bytes(16384 - 4096))
        metrics = MetricsFile(tmp_path / "metrics.jsonl", steps_per_epoch=1)
        metrics.set_model(model)
        with pytest.raises(OSError, match=r"metrics\.jsonl cannot .* No space"):
            metrics.on_train_begin()
            for epoch in range(100):
                metrics.on_epoch_end(epoch, {"loss": 0.5})
        lines = read_metrics(tmp_path / "metrics.jsonl")
    assert all(line["loss"] == 0.5 for line in lines)


def test_a_folder_that_cannot_be_written_is_named(model, tmp_path):
    (tmp_path / "file").write_text("")
    store = CheckpointStore(tmp_path / "file" / "checkpoints", model)
    with pytest.raises(OSError, match=r"file/checkpoints.* cannot be written"):
        store.save()


def test_what_a_killed_process_left_half_written_is_removed(store):
    half = store.directory / ".step-000000003.12345"
    half.mkdir()
    (half / "state.index").write_bytes(b"half")
    mine = store.directory / ".keep.me"
    mine.write_text("not a checkpoint")
    assert store.restore_latest() == 2
    assert not half.exists() and mine.exists()


def test_killed_between_two_renames_the_old_best_is_put_back(store):
    store.save_best(0.5)
    os.replace(store.directory / "best", store.directory / ".best.old")
    store.restore_latest()
    assert not store.save_best(0.4)


@pytest.mark.parametrize(
    "name", ["exp [lr=0.1,bs=64]", "a*b?", "a\nb", os.fsdecode(b"\xff'"), "\\d"]
)
def test_a_folder_of_any_name_keeps_checkpoints(model, tmp_path, name):
    store = CheckpointStore(tmp_path / name, model)
    model.step.assign(7)
    store.save()
    model.step.assign(0)
    assert store.restore_latest() == 7 and int(model.step.numpy()) == 7


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(
    model, tmp_path, monkeypatch
):
    calls = []
    flush, replace = checkpoints.flush, os.replace
    monkeypatch.setattr(
        checkpoints,
        "flush",
        lambda path: (calls.append(path.name), flush(path)),
    )
    monkeypatch.setattr(
        os,
        "replace",
        lambda old, new: (calls.append(f"to {new.name}"), replace(old, new)),
    )
    model.step.assign(3)
    CheckpointStore(tmp_path, model).save()
    temporary = f".step-000000003.{os.getpid()}"
    written = calls[calls.index("to checkpoint.json") + 1 :]
    assert set(written[:3]) == set(FILES) and written[3:] == [
        temporary,
        "to step-000000003",
        tmp_path.name,
    ]
