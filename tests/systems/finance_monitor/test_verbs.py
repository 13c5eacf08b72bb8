"""From tables to alarms of a stream, on written news lines."""

import io
import json
import shutil
import signal
import threading

import numpy as np
import pytest

from byol_tf.jobs.recipes import configs
from byol_tf.jobs.serve import build
from byol_tf.locks import owned_folder
from byol_tf.systems.finance_monitor import judging, sources, verbs
from byol_tf.systems.finance_monitor.counting import Rule
from tests.support.news import write_news

MOODS = {
    "bearish": "falls sharply",
    "bullish": "rises again",
    "neutral": "opens",
}
TOPICS = {"oil": "crude barrel", "grain": "wheat harvest"}


@pytest.fixture(scope="module")
def config():
    with configs():
        from configs.finance_monitor import get_config

    result = get_config()
    result.shapes, result.strengths, result.warm_up = ("plain",), (1.0,), 3
    return result


@pytest.fixture(scope="module")
def place(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("news")
    for part, words, other in (
        ("sentiment", MOODS, TOPICS),
        ("topic", TOPICS, MOODS),
    ):
        rows = [
            f"{theirs} {own} {n},{label}\n"
            for n in range(6)
            for label, own in words.items()
            for theirs in other.values()
        ]
        (folder / part).mkdir()
        for name in "train.csv", "test.csv":
            (folder / part / name).write_text("text,label\n" + "".join(rows))
    verbs.fit(config, str(folder), str(folder / "run"))
    return folder


def test_a_baseline_shorter_than_the_warm_up_is_refused(config, place):
    short = config.copy_and_resolve_references()
    short.baseline = 2
    with pytest.raises(ValueError, match=r"`baseline` must be .* at least 3"):
        verbs.watch(short, None, str(place / "run"), "-", True, None)


def test_alarms_are_not_judged_without_bad_news(config, place, tmp_path):
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "sentiment" / "test.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(x for x in lines if "bearish" not in x))
    with pytest.raises(ValueError, match=r"test\.csv has the label 'bearish'"):
        verbs.evaluate(config, str(tmp_path), str(place / "run"))


def test_both_heads_and_the_alarms_are_judged(config, place):
    verbs.evaluate(config, str(place), str(place / "run"))
    found = json.loads((place / "run" / verbs.RESULT).read_text())
    assert found["accuracy"] == {"sentiment": 1, "topic": 1}
    assert found["tfidf_macro_f1"]["topic"] == 1
    assert {"delay", "missed", "false_alarms"} <= set(found)


def test_a_surge_in_a_growing_file_is_told_once_over_a_restart(
    config, place, tmp_path, capsys
):
    path = tmp_path / "news.jsonl"
    run = str(place / "run")
    write_news(path, [2, 2, 2, 2, 30])
    with open(path, "a") as file:
        file.write("no json\n")
    verbs.watch(config, None, run, str(path), True, None)
    first, last = capsys.readouterr().out.splitlines()
    assert json.loads(first)["topic"] == "oil"
    assert "Counted 38 texts" in last and "1 invalid lines" in last
    with open(path, "a") as file:
        row = {"text": "crude falls sharply", "time": 4 * 3600 + 50}
        file.write(json.dumps(row) + "\n")
    verbs.watch(config, None, run, str(path), True, None)
    assert "Counted 39 texts" in capsys.readouterr().out.splitlines()[0]


def test_a_file_is_not_read_again_from_another_folder(tmp_path, monkeypatch):
    path, places = tmp_path / "a.jsonl", {}
    path.write_text("one\n")
    assert list(sources.batches(str(path), places, 0, True)) == [[b"one\n"]]
    monkeypatch.chdir(tmp_path)
    assert not list(sources.batches("a.jsonl", places, 0, True))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.jsonl").write_text("another\n")
    monkeypatch.chdir(tmp_path / "other")
    found = list(sources.batches("a.jsonl", places, 0, True))
    assert found == [[b"another\n"]]


def test_two_processes_do_not_share_a_state(config, place, tmp_path):
    shutil.copy(place / "run" / verbs.FILE, tmp_path)
    stream = tmp_path / "a.jsonl"
    stream.touch()
    with owned_folder(tmp_path), pytest.raises(OSError, match="is in use by"):
        verbs.watch(config, None, str(tmp_path), str(stream), True, None)


def test_the_page_ends_if_the_stream_cannot_be_read(
    config, place, tmp_path, monkeypatch
):
    shutil.copy(place / "run" / verbs.FILE, tmp_path)
    (tmp_path / "a.jsonl").mkdir()
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    monkeypatch.setattr(
        build, "serve_routes", lambda *_: stopped.wait(60) or pytest.fail()
    )
    try:
        with pytest.raises(IsADirectoryError):
            verbs.watch(config, None, str(tmp_path), str(tmp_path), False, 0)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_half_a_line_waits_for_the_rest(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("one\ntw")
    places = {}
    assert list(sources.batches(str(tmp_path), places, 0, True)) == [[b"one\n"]]
    path.write_text("one\ntwo\n")
    assert list(sources.batches(str(path), places, 0, True)) == [[b"two\n"]]
    path.write_text("one\ntwo\n" + "[" * 100_000)
    assert not list(sources.batches(str(path), places, 0, True))


def test_a_last_line_without_an_end_is_read_if_it_is_whole(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}')
    places = {}
    (lines,) = sources.batches(str(path), places, 0, True)
    assert lines == [b'{"text": "a"}'] and places == {str(path): 13}


def test_lines_of_a_pipe_are_taken_together(monkeypatch):
    pipe = io.BytesIO(b"one\n\ntwo\nthr")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pipe))
    found = list(sources.batches("-", {}, 0, False))
    assert found == [[b"one", b"", b"two"], [b"thr"]]


def test_blank_lines_and_byte_order_marks_are_no_invalid_lines(
    config, place, tmp_path, capsys
):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "opens", "id": "new"}\r\n\r\n\n')
    shutil.copy(place / "run" / verbs.FILE, tmp_path)
    verbs.watch(config, None, str(tmp_path), str(path), True, None)
    assert "Counted 1 texts" in (out := capsys.readouterr().out)
    assert "0 invalid" in out


def test_what_lacks_is_named(config, tmp_path, place):
    with pytest.raises(ValueError, match="must have sentiment/ and topic/"):
        verbs.fit(config, str(tmp_path), str(tmp_path / "run"))
    with pytest.raises(ValueError, match="fit first"):
        verbs.watch(config, None, str(tmp_path), "-", True, None)
    other = config.copy_and_resolve_references()
    other.negative = "bad"
    with pytest.raises(
        ValueError, match="but bearish, bullish, neutral; name the one for"
    ):
        verbs.fit(other, str(place), str(tmp_path))
    shutil.copy(place / "run" / verbs.FILE, tmp_path)
    with pytest.raises(ValueError, match="has the label 'bad', but bearish"):
        verbs.watch(other, None, str(tmp_path), "-", True, None)
    (tmp_path / verbs.FILE).write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ValueError, match=r"\.npz cannot be loaded"):
        verbs.watch(config, None, str(tmp_path), "-", True, None)


def test_a_file_that_is_no_stream_is_not_printed_line_by_line(
    config, place, tmp_path, caplog
):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "crude falls,bearish\n" * 50 + "no end")
    shutil.copy(place / "run" / verbs.FILE, tmp_path)
    verbs.watch(config, None, str(tmp_path), str(path), True, None)
    assert caplog.text.count("left out b'") == 10
    assert "its last 6 bytes are not read" in caplog.text
    state = json.loads((tmp_path / "finance_monitor_state.json").read_text())
    assert state["wrong"] == 51


def test_large_surges_are_found_soon_and_chance_gives_no_alarm():
    rule = Rule(3600, 168, 24, 5, 1e-5, 5)
    negative = np.arange(200) % 10 == 0
    topics = np.where(np.arange(200) % 20 == 0, "oil", "grain")
    found = judging.judge(rule, topics, negative, negative, seed=0)
    small, *_, large = found["surges"]
    assert large["missed"] == 0 <= small["missed"]
    assert 0 < large["delay"] < 60 and found["false_alarms"] < 1
