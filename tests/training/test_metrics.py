"""A `metrics.jsonl` that was damaged since it was written."""

import json
import types

import pytest

from byol_tf.training.logs import MetricsFile
from byol_tf.training.metrics import read_metrics

GOOD = [
    {"step": step, "epoch": step / 10, "seconds": step / 2, "loss": 2.0}
    for step in (5, 10)
]
FIRST, LAST = (json.dumps(line).encode() for line in GOOD)
DAMAGED = {
    "a number": b"12",
    "a list": b"[1, 2]",
    "no step": b'{"a": 1}',
    "a step that is text": b'{"step": "5", "epoch": 0.5, "seconds": 1}',
    "a step that is not finite": b'{"step": NaN, "epoch": 0.5, "seconds": 1}',
    "bad UTF-8": b'{"step": 9, "x": "M\xff"}',
    "torn": FIRST[:20],
    "zeros": bytes(40),
    "endlessly nested": b"[" * 100_000,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def resume(path, step, log_every=5):
    """What is left of the file when training goes on from a step."""
    metrics = MetricsFile(path, steps_per_epoch=10, log_every=log_every)
    counter = types.SimpleNamespace(numpy=lambda: step)
    metrics.set_model(types.SimpleNamespace(step=counter))
    metrics.on_train_begin()
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_named_and_the_others_stay(path, damaged, caplog):
    path.write_bytes(b"\n".join([FIRST, damaged, LAST, b""]))
    assert read_metrics(path) == GOOD
    assert f"{path}: damaged and left out: line 2" in caplog.text


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_resumed_run_sets_damaged_lines_aside(path, damaged):
    path.write_bytes(b"\n".join([damaged, FIRST, LAST, b""]))
    assert resume(path, 10) == GOOD
    assert path.with_suffix(".damaged").read_bytes() == damaged + b"\n"


def test_lines_set_aside_before_are_kept(path):
    for damaged in (b"1", b"2"):
        path.write_bytes(b"\n".join([damaged, FIRST, b""]))
        resume(path, 10)
    assert path.with_suffix(".damaged").read_bytes() == b"1\n2\n"


def test_an_unfinished_last_line_is_left_out_without_a_word(path, caplog):
    path.write_bytes(FIRST + b"\n" + LAST[:-3])
    assert read_metrics(path) == GOOD[:1]
    assert not caplog.text
    resume(path, 10)
    assert not path.with_suffix(".damaged").exists()


def test_a_last_line_that_lacks_its_line_break_alone_counts(path):
    path.write_bytes(FIRST + b"\n" + LAST)
    assert read_metrics(path) == GOOD


@pytest.mark.parametrize("content", [None, b"", b"\n\n"])
def test_an_emptied_file_is_said(path, content, caplog):
    if content is not None:
        path.write_bytes(content)
    assert resume(path, 10) == []
    assert "no line for the first 10 steps" in caplog.text


def test_a_new_run_and_one_before_its_first_line_say_nothing(path, caplog):
    resume(path, 0)
    resume(path, 4)
    assert not caplog.text


def test_the_log_is_on_the_disk_before_a_checkpoint_counts_on_it(
    path, monkeypatch
):
    flushed = []
    path.write_bytes(FIRST + b"\n")
    monkeypatch.setattr("byol_tf.training.logs.flush", flushed.append)
    MetricsFile(path, steps_per_epoch=10).state()
    assert flushed == [path]
