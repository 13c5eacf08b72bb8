"""byol_tf.tuning, with trainings that learn nothing."""

import csv
import json
import pathlib
import sys

import pytest

from byol_tf.files import read_json
from byol_tf.jobs.tune import results
from byol_tf.jobs.tune.run import Search
from byol_tf.jobs.tune.space import parse_space
from byol_tf.jobs.tune.trials import knn_by_epoch
from configs import tune
from tests.support.signals import sigterm_when

optuna = pytest.importorskip("optuna")

CONFIG = tune.get_config()
SETTINGS = {
    "objective": CONFIG.objective,
    "trials": CONFIG.trials,
    "workers": CONFIG.workers,
    "seed": CONFIG.seed,
    "prune": CONFIG.prune.enabled,
    "startup_trials": CONFIG.prune.startup_trials,
    "warmup_epochs": CONFIG.prune.warmup_epochs,
}
FAKE = pathlib.Path(__file__).parents[2] / "support" / "fake_train.py"
SPACE = (("quality", "float", 0.1, 0.9), ("unused", "choice", 1.0, 2.0))
MEASURE = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
quality = json.loads((folder / "train.json").read_text())["after"]
quality = quality["knn_accuracy"]
(folder / "label_free.json").write_text(json.dumps({
    "score": -quality, "effective_rank": 10 * quality,
    "alignment": 1 - quality, "uniformity": None,
}))
"""


def search(workdir, *common, space=SPACE, **options):
    """The result of a search, and the lines that it told."""
    lines = []
    job = Search(
        space=parse_space(space),
        train=lambda overrides, folder: [
            sys.executable, str(FAKE), *common, *overrides, str(folder)
        ],
        measure=lambda folder: [sys.executable, "-c", MEASURE, str(folder)],
        best_config=lambda overrides: f"# {' '.join(overrides)}\n",
        watch_every=0.0,
        tell=lines.append,
        **{**SETTINGS, **options},
    )  # fmt: skip
    return job.run(workdir), lines


def starts(workdir):
    return [
        read_json(path)["starts"]
        for path in sorted(workdir.glob("trial*/process.json"))
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("tuned")
    return workdir, *search(workdir, trials=5, workers=2, prune=False)


def test_every_trial_is_trained_and_measured_in_its_folder(finished):
    workdir, result, _ = finished
    assert starts(workdir) == [2] * 5  # the training and the measurement
    for trial in result["trials"]:
        assert trial["state"] == "complete"
        assert trial["value"] == pytest.approx(trial["params"]["quality"])
        assert trial["linear_accuracy"] == trial["value"]
        assert trial["effective_rank"] == pytest.approx(10 * trial["value"])
        assert trial["minutes"] == 2.0
    values = [trial["value"] for trial in result["trials"]]
    assert values[result["best"]] == max(values)
    assert len(set(values)) == 5


def test_correlations_have_the_sign_that_makes_more_better(finished):
    predicts = finished[1]["predicts_linear_accuracy"]
    assert predicts["score"]["spearman"] == pytest.approx(-1)
    assert predicts["effective_rank"]["spearman"] == pytest.approx(1)
    assert predicts["alignment"]["kendall"] == pytest.approx(1)
    assert predicts["uniformity"] is None
    table = results.table(finished[1])
    assert (
        "label-free score predicts linear accuracy: Spearman rho = -1.00, "
        "Kendall tau = -1.00 over 5 trials"
    ) in table


def test_the_field_that_matters_is_found_important(finished):
    importance = finished[1]["importance"]
    assert sum(importance.values()) == pytest.approx(1)
    assert importance["quality"] > 0.8


def test_files_hold_the_trials_and_the_best(finished):
    workdir, result, _ = finished
    assert json.loads((workdir / "tune.json").read_text()) == result
    with open(workdir / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == list(range(5))
    best = result["trials"][result["best"]]
    assert float(rows[result["best"]]["quality"]) == best["value"]
    text = (workdir / "best_config.py").read_text()
    assert text == f"# {' '.join(best['overrides'])}\n"
    page = (workdir / "tune.html").read_text()
    assert page.count("<img ") == 2
    for name in ("history.png", "importance.png"):
        assert (workdir / name).read_bytes().startswith(b"\x89PNG")


def test_finished_trials_stay_and_more_are_added_to_them(finished):
    workdir, result, _ = finished
    more, lines = search(workdir, trials=6, prune=False)
    assert more["trials"][:5] == result["trials"]
    assert starts(workdir) == [2] * 6
    assert lines[0].startswith("[6/6] trial 5 started: quality=0.")
    # Not the draws of the first start once more.
    values = [trial["value"] for trial in more["trials"]]
    assert len(set(values)) == 6


def test_another_search_in_the_folder_is_refused(tmp_path):
    first, other = {"space": "a", "base": "b"}, {"space": "c", "base": "b"}
    search(tmp_path, trials=1, identity=first)
    with pytest.raises(ValueError, match="another search: space changed"):
        search(tmp_path, trials=2, identity=other)
    for folder, identity in ((tmp_path, first), (tmp_path / "new", other)):
        result, _ = search(folder, trials=1, identity=identity)  # as advised
        assert len(result["trials"]) == 1


def test_an_interrupted_trial_goes_on_as_it_was(tmp_path):
    slow = ("epochs=4", "seconds=0.5")
    metrics = tmp_path / "trial0000" / "metrics.jsonl"
    with sigterm_when(metrics.exists), pytest.raises(KeyboardInterrupt):
        search(tmp_path, *slow, trials=1)
    first = metrics.read_text()
    result, lines = search(tmp_path, *slow, trials=1)
    assert lines[0].startswith("[1/1] trial 0 goes on: quality=")
    assert metrics.read_text().startswith(first)
    assert len(metrics.read_text().splitlines()) == 4
    (trial,) = result["trials"]
    assert trial["value"] == pytest.approx(trial["params"]["quality"])


def test_what_is_below_the_median_is_ended_early(tmp_path):
    good = (("quality", "float", 0.8, 0.9),)
    poor = (("quality", "float", 0.1, 0.2),)
    search(tmp_path, "epochs=2", space=good, trials=3)
    result, lines = search(
        tmp_path, "epochs=2", "seconds=2", space=poor, trials=4,
        startup_trials=3,
    )  # fmt: skip
    assert [t["state"] for t in result["trials"]] == ["complete"] * 3 + [
        "pruned"
    ]
    assert lines[-1].endswith("ended: below the median of the others")
    folder = tmp_path / "trial0003"
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    assert not (folder / "label_free.json").exists()
    assert "1 ended early" in results.table(result)


def test_what_was_measured_within_an_epoch_is_not_of_its_end(tmp_path):
    lines = [(0.6, 0.1), (1.0, 0.5), (2.0, 0.7)]
    (tmp_path / "metrics.jsonl").write_text(
        "".join(
            f'{{"step": 1, "epoch": {epoch}, "seconds": 1, '
            f'"knn_accuracy": {accuracy}}}\n'
            for epoch, accuracy in lines
        )
    )
    assert knn_by_epoch(tmp_path) == {0: 0.1, 1: 0.5, 2: 0.7}


def test_a_label_free_search_maximizes_the_score_and_ends_none(tmp_path):
    result, _ = search(
        tmp_path, objective="label_free", trials=4, startup_trials=0
    )
    qualities = [trial["params"]["quality"] for trial in result["trials"]]
    assert [trial["state"] for trial in result["trials"]] == ["complete"] * 4
    assert qualities[result["best"]] == min(qualities)
    assert "label-free score" in results.table(result).splitlines()[0]


def test_a_trial_that_fails_is_told_and_the_others_go_on(tmp_path):
    space = (("fail", "choice", "", "yes"), ("quality", "float", 0.1, 0.9))
    result, lines = search(tmp_path, space=space, trials=4, seed=2)
    states = [trial["state"] for trial in result["trials"]]
    assert set(states) == {"complete", "fail"}
    failed = result["trials"][states.index("fail")]
    assert failed["error"].startswith("error: `fail` must be empty")
    assert any("failed: error: `fail`" in line for line in lines)
    assert f"{states.count('fail')} failed" in results.table(result)


def test_where_all_fail_there_is_an_error_and_no_configuration(tmp_path):
    with pytest.raises(ValueError, match=r"none of 2 trials.*`fail` must"):
        search(tmp_path, "fail=1", trials=2)
    assert not (tmp_path / "best_config.py").exists()
