"""A fine-tuning that is interrupted, and run again."""

import shutil

import numpy as np
import pytest

from byol_tf.jobs.finetune.fit import Fitted
from byol_tf.jobs.finetune.kept import FOLDER, TrainingStore
from byol_tf.jobs.finetune.settings import Setting
from byol_tf.jobs.finetune.trainer import Weights
from tests.support.eager import eagerly
from tests.support.finetuning import build
from tests.support.runs import make_run

FITTED = Fitted(
    setting=Setting(0.1, 0.0),
    seed=3,
    metrics={"accuracy": 0.5, "loss": float("nan")},
    score=(0.5, -float("inf")),
    weights=Weights([np.ones((2, 3))], [np.arange(2.0), np.float32(4)]),
    step=4,
    steps=6,
    seconds=1.5,
)


def same(one, other):
    parts = [vars(fitted).copy() for fitted in (one, other)]
    weights = [part.pop("weights") for part in parts]
    np.testing.assert_equal(*parts)
    arrays = [w.encoder + w.head for w in weights]
    for ours, theirs in zip(*arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_training_is_found_as_it_was_kept(tmp_path):
    kept = TrainingStore(tmp_path, {"rate": 1}, [np.ones(2)])
    kept.keep(("10%", "scratch", 0.1), FITTED, whole=True)
    same(kept.find(("10%", "scratch", 0.1), []), FITTED)
    assert kept.count() == 1 and kept.find(("10%", "frozen", 0.1), []) is None
    own = FITTED.weights.encoder
    kept.keep(("10%", "frozen", 0.1), FITTED, whole=False)
    assert kept.find(("10%", "frozen", 0.1), own).weights.encoder is own
    kept.drop_weights(("10%", "scratch", 0.1), FITTED)
    found = kept.find(("10%", "scratch", 0.1), [])
    assert found.score == FITTED.score and found.weights == Weights([], [])
    kept.clear()
    assert not (tmp_path / FOLDER).exists()


def test_other_values_and_damaged_files_are_not_found(tmp_path):
    kept = TrainingStore(tmp_path, {"rate": 1}, [np.ones(2)])
    kept.keep("a", FITTED, whole=True)
    for about, arrays in (({"rate": 2}, [np.ones(2)]), ({"rate": 1}, [])):
        assert TrainingStore(tmp_path, about, arrays).find("a", []) is None
    (file,) = (tmp_path / FOLDER).rglob("*.npz")
    for size in (100, 0):
        file.write_bytes(file.read_bytes()[:size])
        assert kept.find("a", []) is None
    file.rename(file.with_name(".a.1.npz"))  # of a process that was killed
    assert kept.count() == 0


def test_a_full_disk_is_said_and_costs_nothing_else(tmp_path, capsys):
    (tmp_path / FOLDER).write_text("no folder")
    TrainingStore(tmp_path, {}).keep("a", FITTED, whole=True)
    assert "A finished training was not kept" in capsys.readouterr().out


def test_only_trainings_that_are_not_done_are_made_again(tmp_path, capsys):
    def job_of(run):
        variants = ("frozen", "scratch")
        job = build(run, seeds=2, grid_seeds=1, variants=variants)
        made, train = [], job._train

        def watched(*key):
            if job.stop == len(made):
                raise KeyboardInterrupt
            made.append(key)
            return train(*key)

        job._train, job.stop = watched, None
        return job, made

    (tmp_path / "data").mkdir()
    run, again = make_run(tmp_path / "data"), tmp_path / "again"
    shutil.copytree(run, again)
    with eagerly():
        job, made = job_of(run)
        whole, total = job.run(run), len(made)
        assert not (run / FOLDER).exists()
        job, made = job_of(again)
        job.stop = 4
        with pytest.raises(KeyboardInterrupt):
            job.run(again)
        job, made = job_of(again)
        result = job.run(again)
    assert len(made) == total - 4
    assert "Continued: 4 trainings are done" in capsys.readouterr().out
    assert not (again / FOLDER).exists()
    rows = [r["fractions"]["10-per-class"]["variants"] for r in (whole, result)]
    for variant, numbers in rows[0].items():
        for ours, theirs in zip(
            numbers["runs"], rows[1][variant]["runs"], strict=True
        ):
            assert ours["test"] == theirs["test"]
        assert numbers["tried"] == rows[1][variant]["tried"]
