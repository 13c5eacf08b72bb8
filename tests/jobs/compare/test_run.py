"""byol_tf.comparison, with trainings that learn nothing."""

import csv
import json
import pathlib
import sys

import numpy as np
import pytest

from byol_tf.files import read_json
from byol_tf.jobs.compare import results
from byol_tf.jobs.compare.plan import plan
from byol_tf.jobs.compare.plots import knn_curve
from byol_tf.jobs.compare.run import Comparison, failures
from tests.support.signals import sigterm_when

FAKE = pathlib.Path(__file__).parents[2] / "support" / "fake_train.py"


def command(overrides, folder):
    return [sys.executable, str(FAKE), *overrides, str(folder)]


def compare(workdir, variants, seeds=(0,), **options):
    """The result and the lines that were told."""
    lines = []
    job = Comparison(
        plan(variants, [], seeds),
        command,
        tell=lines.append,
        **{"workers": 1, **options},
    )
    return job.run(workdir), lines


def starts(workdir):
    return {
        path.parent.relative_to(workdir).as_posix(): read_json(path)["starts"]
        for path in sorted(workdir.rglob("process.json"))
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("compared")
    variants = [("good|better", "quality=0.6"), ("poor", "quality=0.25")]
    return workdir, *compare(workdir, variants, (0, 1))


def test_every_variant_runs_with_every_seed_in_a_folder_of_its_own(finished):
    workdir, result, _ = finished
    assert starts(workdir) == {
        f"{name}/seed{seed}": 1
        for name in ("good_better", "poor")
        for seed in (0, 1)
    }
    assert [run["seed"] for run in result["runs"]] == [0, 0, 1, 1]


def test_mean_and_sample_deviation_are_those_of_numpy(finished):
    linear = finished[1]["variants"]["good|better"]["linear_accuracy"]
    assert linear["mean"] == pytest.approx(np.mean([0.6, 0.7]))
    assert linear["std"] == pytest.approx(np.std([0.6, 0.7], ddof=1))


def test_the_table_shows_what_was_measured_and_nothing_else(finished):
    headings, rows = results.rows(finished[1])
    assert headings == [
        *("variant", "seeds", "minutes", "memory GB", "projections", "rank"),
        *("kNN %", "linear %"),
    ]
    cells = dict(zip(headings, rows[1], strict=True))
    assert cells["variant"] == "poor" and cells["seeds"] == "2"
    assert cells["linear %"] == "30.0 ± 7.1"
    assert cells["kNN %"] == "25.0 ± 0.0" and cells["rank"] == "12.0 ± 0.0"
    assert cells["minutes"] == "2.0 ± 0.0"


def test_progress_says_which_of_how_many_and_what_is_left(finished):
    lines = finished[2]
    assert lines[0] == "[1/4] good|better, seed 0: started"
    assert lines[1].startswith(
        "[1/4] good|better, seed 0: kNN 60.0 %, linear 60.0 %, 2.0 minutes; "
    )
    assert lines[1].endswith("minutes left")
    assert lines[-1].startswith("[4/4] poor, seed 1: kNN 25.0 %")
    assert "left" not in lines[-1]


def test_files_hold_every_run_and_the_table(finished):
    workdir, result, _ = finished
    assert json.loads((workdir / "compare.json").read_text()) == result
    with open(workdir / "compare.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == ["good|better", "poor"] * 2
    assert float(rows[2]["linear_accuracy"]) == pytest.approx(0.7)
    assert rows[0]["overrides"] == "quality=0.6 seed=0"
    markdown = (workdir / "compare.md").read_text().splitlines()
    assert markdown[2].startswith(r"| good\|better | 2 |")
    page = (workdir / "compare.html").read_text()
    assert page.count("<img ") == 1 and "30.0 ± 7.1" in page
    assert (workdir / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_finished_runs_stay_and_new_seeds_are_added(tmp_path):
    compare(tmp_path, [("a",)], (0,))
    result, lines = compare(tmp_path, [("a",)], (0, 1))
    assert starts(tmp_path) == {"a/seed0": 1, "a/seed1": 1}
    assert lines[0] == "1 of 2 runs are finished already."
    assert result["variants"]["a"]["finished"] == 2


def test_a_run_that_fails_is_named_and_the_others_go_on(tmp_path):
    variants = [("bad", "fail=1"), ("early", "early=1"), ("good",)]
    result, lines = compare(tmp_path, variants)
    assert [run["status"] for run in result["runs"]] == [
        *("failed", "failed", "finished"),
    ]
    told = failures(result)
    assert told[0].startswith("bad, seed 0: error: `fail` must be empty")
    assert told[1].endswith("ended early: stopped at step 3")
    assert "[1/3] bad, seed 0: failed: error: `fail`" in "\n".join(lines)
    table = results.table(result)
    assert "0 of 1" in table and told[0].split(": ", 1)[1] in table
    again, _ = compare(tmp_path, variants)
    assert starts(tmp_path) == {
        "bad/seed0": 2, "early/seed0": 2, "good/seed0": 1
    }  # fmt: skip
    assert failures(again) == told


def test_a_collapse_is_named_below_the_table(tmp_path):
    result, _ = compare(tmp_path, [("still", "quality=0")])
    assert results.table(result).endswith("still, seed 0: complete_collapse")
    assert failures(result) == []


def test_weights_as_they_came_are_a_row_of_their_own(tmp_path):
    variants = [("ours", "start=imagenet"), ("ours2", "start=imagenet"), ("a",)]
    result, _ = compare(tmp_path, variants)
    _, rows = results.rows(result)
    assert [row[:2] for row in rows] == [
        *(["ours", "1"], ["ours2", "1"], ["a", "1"]),
        ["as it came (imagenet)", "2"],
    ]
    assert "40.0 ± 0.0" in rows[-1] and "-" in rows[-1]
    page = (tmp_path / "compare.html").read_text()
    assert "Comparison of 3 variants" in page and "as it came" in page


def test_an_interrupted_run_goes_on(tmp_path):
    slow = [("a", "epochs=4", "seconds=0.5")]

    metrics = tmp_path / "a" / "seed0" / "metrics.jsonl"
    with sigterm_when(metrics.exists), pytest.raises(KeyboardInterrupt):
        compare(tmp_path, slow)
    assert not (tmp_path / "a" / "seed0" / "train.json").exists()
    result, _ = compare(tmp_path, slow)
    lines = metrics.read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == [1.0, 2.0, 3.0, 4.0]
    assert result["runs"][0]["status"] == "finished"


def test_the_curve_is_the_mean_at_the_epochs_that_all_measured():
    def line(epoch, minutes, knn):
        return {"epoch": epoch, "seconds": 60 * minutes, "knn_accuracy": knn}

    first = [line(1, 1, 0.2), {"epoch": 1.5, "seconds": 9}, line(2, 2, 0.4)]
    second = [line(1, 3, 0.4), line(2, 4, 0.8), line(3, 5, 0.9)]
    minutes, mean, std = knn_curve([first, second, []])
    np.testing.assert_allclose(minutes, [2, 3])
    np.testing.assert_allclose(mean, [0.3, 0.6])
    np.testing.assert_allclose(std, np.std([[0.2, 0.4], [0.4, 0.8]], 1, ddof=1))
    assert all(len(part) == 0 for part in knn_curve([]))
