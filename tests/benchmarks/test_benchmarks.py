"""What measures: contests between workers, tables, formulas."""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from PIL import Image

from benchmarks import (
    contest,
    detect,
    long,
    machine,
    objects,
    photos,
    report,
    startup,
    step,
    strings,
)
from benchmarks.contest import Contest, Contestant
from benchmarks.workers import protocol


class Fake(Contestant):
    """A contestant whose worker is the fake one."""

    @property
    def command(self):
        return [str(self.python), "-m", "tests.support.fake_worker"]


def fake(name, rounds, unit="", **case):
    case = {"name": name, "rounds": rounds, **case}
    return Fake(name, "", case=case, unit=unit)


def hold(tmp_path, *contestants, rounds=3):
    """The result, what was said, and who worked when."""
    said, log = [], tmp_path / "log"
    the_contest = Contest("t", "images/s", {"log": str(log)}, contestants)
    result = contest.hold(the_contest, rounds, said.append)
    lines = log.read_text().splitlines() if log.exists() else []
    return result, said, [json.loads(line) for line in lines]


def test_contestants_work_in_turn_and_begin_in_turn(tmp_path):
    result, _, worked = hold(
        tmp_path, fake("ours", [1, 1, 1]), fake("torch", [1, 1, 1])
    )
    expected = ["ours", "torch", "torch", "ours", "ours", "torch"]
    assert [name for name, _ in worked] == expected
    assert result["order"] == expected


def test_median_and_range_are_those_of_the_rounds(tmp_path):
    result, _, _ = hold(tmp_path, fake("ours", [4, 1, 3]))
    entry = result["entries"]["ours"]
    assert entry["rates"] == [3, 12, 4]
    assert (entry["median"], entry["low"], entry["high"]) == (4, 3, 12)
    assert entry["info"]["versions"] == {"numpy": np.__version__}


def test_ratio_is_of_the_best_of_ours_by_each_peer(tmp_path):
    result, _, _ = hold(
        tmp_path,
        fake("ours a", [4, 4]),
        fake("ours b", [2, 2]),
        fake("torch", [8, 8]),
        fake("peak", [1, 1], unit="GFLOP/s"),
        rounds=2,
    )
    assert contest.ratios(result) == {"torch": 4.0}


def test_a_worker_that_dies_is_left_out_and_the_others_go_on(tmp_path):
    result, said, worked = hold(
        tmp_path, fake("ours", [1, 1, 1]), fake("torch", [1, None])
    )
    assert list(result["entries"]) == ["ours"]
    assert len(result["entries"]["ours"]["rates"]) == 3
    assert "status 3" in result["skipped"]["torch"]
    assert any("torch is left out" in line for line in said)
    assert [name for name, _ in worked].count("torch") == 2


def test_a_worker_that_cannot_prepare_is_skipped_with_its_reason(tmp_path):
    result, said, _ = hold(
        tmp_path, fake("ours", [1]), fake("lightly", [], broken=True), rounds=1
    )
    assert "No module named 'lightly'" in result["skipped"]["lightly"]
    assert sum("lightly is skipped" in line for line in said) == 1


def test_a_missing_interpreter_is_skipped_with_how_to_install_it(tmp_path):
    absent = Contestant("torch", "peer_torch_step", ".no-venv/bin/python")
    result, said, _ = hold(tmp_path, fake("ours", [1]), absent, rounds=1)
    assert "make peers" in result["skipped"]["torch"]
    assert list(result["entries"]) == ["ours"]
    assert sum("torch is skipped" in line for line in said) == 1


@pytest.mark.parametrize("last", [2.0, 2.5, float("nan")])
def test_a_loss_that_does_not_fall_is_not_counted(tmp_path, last):
    losses = {"first_loss": 2.0, "last_loss": last}
    result, _, _ = hold(
        tmp_path,
        fake("ours", [1]),
        fake("torch", [1], finish=losses),
        rounds=1,
    )
    assert not result["entries"]["torch"]["counted"]
    assert contest.ratios(result) == {}
    table = report.markdown(report.table_of(result))
    assert "torch does not count: the loss went from 2 to" in table


def test_a_loss_that_falls_is_counted_and_shown(tmp_path):
    losses = {"first_loss": 4.0, "last_loss": 1.25}
    result, _, _ = hold(
        tmp_path, fake("ours", [1]), fake("torch", [2], finish=losses), rounds=1
    )
    assert contest.ratios(result) == {"torch": 2.0}
    table = report.markdown(report.table_of(result))
    row = "| torch | 6.00 | 6.00 to 6.00 | 2.00 x | fake; loss 4.00 to 1.25 |"
    assert row in table


def test_no_process_is_left_after_a_contest(tmp_path):
    hold(tmp_path, fake("ours", [1]), fake("torch", [None]), rounds=1)
    children = [pid for pid in machine.family(os.getpid()) if _is_fake(pid)]
    assert children == []


def _is_fake(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return "fake_worker" in file.read()


def test_only_picks_by_the_first_word_of_names():
    contestants = [Contestant(name, "m") for name in ("ours a", "ours b", "x")]
    chosen = contest.chosen(contestants, "ours")
    assert [c.name for c in chosen] == ["ours a", "ours b"]
    with pytest.raises(ValueError, match="must name some of ours, x"):
        contest.chosen(contestants, "torch")


def test_a_round_repeats_the_piece_until_it_takes_its_time(monkeypatch):
    clock = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: next(clock))
    losses = iter(range(100, 0, -1))
    job = protocol.Repeated(lambda: next(losses), units=8, seconds=2.0)
    # A piece takes half a second: one call of the clock.
    assert job.pieces == 4
    assert job.go() == {"units": 32, "seconds": 0.5}
    assert job.finish() == {"first_loss": 100, "last_loss": 93}


def test_the_fastest_variant_competes_and_broken_ones_are_named(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: now[0])

    def taking(seconds):
        def piece():
            now[0] += seconds
            return seconds

        return lambda: piece

    def broken():
        raise RuntimeError("no compiler\nin sight")

    piece, info = protocol.fastest(
        {"slow": taking(3.0), "fast": taking(1.0), "compiled": broken}
    )
    assert piece() == 1.0
    assert info["variant"] == "fast"
    assert info["tried"] == {"slow": 3.0, "fast": 1.0}
    assert info["failed"] == {"compiled": "RuntimeError: no compiler"}


def test_results_are_assembled_without_those_that_are_none(tmp_path):
    table = report.Table("Title", ("", "n"), [("ours", "1,234")], ["A note."])
    about = {"machine": machine.describe(), "settings": {"quick": False}}
    measured = [{"info": {"versions": {"keras": "3.15.1"}}}]
    report.save(tmp_path, "step", [table], measured, about)
    for no_result in ({"quick": True}, {"only": "ours"}):
        about = {**about, "settings": no_result}
        report.save(tmp_path, "embed", [table], measured, about)
    about = {**about, "settings": {"cases": "ResNet-18"}}
    report.save(tmp_path, "step", [table], measured, about)
    assert (tmp_path / "step-resnet-18.md").exists()
    target = tmp_path / "RESULTS.md"
    assert report.assemble(tmp_path, target) == ["step", "step"]
    text = target.read_text()
    assert "| ours | 1,234 |" in text and "- A note." in text
    assert "keras 3.15.1" in text and about["machine"]["processor"] in text
    assert "embed" not in text


def test_assembling_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no results in"):
        report.assemble(tmp_path, tmp_path / "RESULTS.md")


@pytest.mark.parametrize(
    "value,text",
    [(27999.6, "28,000"), (355.55, "355.6"), (3.14159, "3.14")],
)
def test_numbers_have_about_four_digits(value, text):
    assert report.number(value) == text


def test_memory_counts_descendants():
    code = "import time; kept = b'x' * (64 << 20); print(flush=True); "
    code += "time.sleep(60)"
    shell = f'{sys.executable} -c "{code}" & wait'
    process = subprocess.Popen(
        ["/bin/sh", "-c", shell],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        process.stdout.readline()
        rss, pss = machine.memory(process.pid)
        assert len(machine.family(process.pid)) == 2
    finally:
        contest.end(process)
        process.stdout.close()
    assert 64 << 20 < pss <= rss < 128 << 20


def test_share_of_peak_is_that_of_the_same_operations():
    result = {
        "entries": {
            "ours": {"median": 100.0, "info": {"flops_per_image": 2e9}},
            "torch": {"median": 50.0},
            step.PEAK: {"median": 400.0},
        }
    }
    step.share_of_peak(result)
    assert result["entries"]["ours"]["share_of_peak"] == 0.5
    assert result["entries"]["torch"]["share_of_peak"] == 0.25


def test_photos_are_the_same_each_time_and_of_photo_like_size(tmp_path):
    photos.write_photos(tmp_path, 2)
    paths = sorted(tmp_path.rglob("*.jpg"))
    assert [path.parent.name for path in paths] == ["class0", "class1"]
    assert all(50_000 < path.stat().st_size < 110_000 for path in paths)
    assert Image.open(paths[0]).size == (500, 375)
    np.testing.assert_array_equal(photos.photo(1), photos.photo(1))


def test_windows_leave_out_what_came_before_the_first_line():
    lines = [
        {"step": 50, "seconds": 30.0, "loss": 1.0},
        {"step": 100, "seconds": 40.0, "loss": 1.0},
        {"step": 100, "seconds": 45.0, "knn_accuracy": 0.5},
        {"step": 150, "seconds": 55.0, "loss": 1.0},
    ]
    windows = long.windows_of(lines, batch_size=4)
    assert [w["rate"] for w in windows] == [20.0, 200 / 15]
    assert [w["monitored"] for w in windows] == [False, True]


def test_processor_seconds_are_those_that_the_process_had():
    begin, before = time.process_time(), machine.processor_seconds(os.getpid())
    while time.process_time() < begin + 0.3:
        pass
    had = machine.processor_seconds(os.getpid()) - before
    assert abs(had - (time.process_time() - begin)) < 0.1


def test_results_of_long_runs_are_named_by_their_configuration():
    settings = {"config": "configs/quickstart.py", "quick": True}
    assert report.stem_of("long", settings) == "long-quickstart-quick"
    assert report.stem_of("step", settings) == "step-quick"


def test_parts_have_median_rates_and_peak_memory():
    windows = [
        {
            "step": i,
            "begin": i - 1,
            "seconds": i,
            "images": 4,
            "rate": i,
            "monitored": i % 3 == 0,
        }
        for i in range(1, 21)
    ]
    # (at, memory, open files, processor seconds): 0.5 a second, later 1.5.
    looks = [(-1.0, 1, 9, 2.0), (1.5, 5, 30, 3.25), (2.5, 7, 31, 3.75)]
    looks += [(10.0, 7, 31, 7.5), (19.9, 6, 32, 22.35), (25.0, 99, 33, 30.0)]
    parts = long.parts_of(
        windows, [long.ResourceSample(*look) for look in looks]
    )
    assert len(parts) == long.PARTS
    assert [p["rate"] for p in parts[:3]] == [1.5, 4, 5]
    ends = parts[0], parts[1], parts[-1]
    assert [part["memory"] for part in ends] == [5, 7, 6]
    assert [part["files"] for part in ends] == [30, 31, 32]
    times = [part["processor"] for part in ends]
    np.testing.assert_allclose(times, [1 / 8, 1 / 8, 3 / 8])
    assert long.drift([90.0, None, 100.0, 110.0]) == 0.2


def test_stages_of_a_start_add_up_to_its_total():
    marks = {"imports": 104.0, "built": 106.0, "before.json": 109.0}
    taken = startup.stages(100.0, marks, [(115.0, 5.5), (115.5, 6.0)])
    assert taken == {
        "imports": 4.0,
        "model built": 2.0,
        "random encoder judged": 3.0,
        "step traced and compiled": 5.5,
        "first step": 0.5,
        "total": 15.0,
    }


def run_benchmarks(*flags):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, flags)],
        cwd=contest.ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_fewer_than_five_rounds_are_refused():
    result = run_benchmarks("augment", "--rounds=3")
    assert result.returncode == 2
    assert "--rounds must be at least 5" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_augment_measures_our_views(tmp_path):
    result = run_benchmarks(
        *("augment", "--quick", "--only=ours", "--cases=32 px"),
        f"--out={tmp_path}",
    )
    assert result.returncode == 0, result.stderr
    page = json.loads((tmp_path / "augment-32-px-only-quick.json").read_text())
    (measured,) = page["measured"]
    assert len(measured["entries"]["ours"]["rates"]) == 2
    assert "| ours |" in (tmp_path / "augment-32-px-only-quick.md").read_text()


def test_detectors_meet_on_the_same_work():
    options = argparse.Namespace(quick=False, seconds=1, only="", cases="")
    found = detect.contests(options)
    assert [c.case["work"] for c in found] == ["train", "detect"]
    assert {c.name for c in found[0].contestants} == {"ours", "keras-cv"}
    assert found[0].case["side"] == 256 and not found[0].case["eager"]


def test_the_curve_over_labels_is_made_of_fine_tunings():
    options = argparse.Namespace(run="runs/a", data="cells", task="detection")
    words = objects.command(options, "25", "scratch", 150, (0.1, 0.03), 3)
    assert words[3:5] == ["finetune", "runs/a"]
    given = dict(word.split("=", 1) for word in words[5:])
    assert given["--config.learning_rates"] == "(0.1,0.03,)"
    # The last step is taken.
    assert given["--config.eval_every"] == given["--config.max_steps"] == "150"


def test_strings_are_made_of_few_recordings_of_one_speaker(tmp_path):
    for number in range(12):
        sound = np.full(800, (1 + number) / 100)
        soundfile.write(tmp_path / f"{number}.wav", sound, 8000)
    rows = [
        {
            "path": f"{number}.wav",
            "label": "ab"[number % 2],
            "speaker": f"s{number // 6}",
        }
        for number in range(12)
    ]
    rng = np.random.default_rng(0)
    few = strings.draw_takes(rows, 2, rng)
    assert sorted(row["label"] for row in few) == ["a", "a", "b", "b"]
    for _ in range(20):
        text, speaker = strings.write(tmp_path / "x.wav", few, tmp_path, rng)
        said = {row["label"] for row in few if row["speaker"] == speaker}
        assert set(text.split()) <= said and 1 <= len(text.split()) <= 5
        seconds = soundfile.info(tmp_path / "x.wav").duration
        # A tenth of a second each, a pause before each and at the end.
        count = len(text.split())
        assert 0.08 * count + 0.05 < seconds < 0.42 * count + 0.31
