"""`tune.py` as a user starts it."""

import functools
import re
import shlex

import pytest

from byol_tf.jobs.tune import build as tune_builders
from byol_tf.runs import config as run_config
from configs import base, command_line, quickstart, tune
from tests.support.runs import make_run, write_arrays
from tests.support.scripts import TINY, assert_one_clear_line, run_script

run_tune = functools.partial(run_script, "tune.py")


def built(workdir, **changes):
    config = tune.get_config()
    config.update(changes)
    return tune_builders.search(
        config,
        workdir,
        load=command_line.load,
        train=["python", "train.py"],
        measure=lambda folder: [],
    )


@pytest.mark.parametrize(
    "changes,match",
    [
        ({"space": (("no.field", "float", 0.1, 1.0),)}, "no field"),
        ({"space": (("batch_size", "float", 1.5, 9.5),)}, "batch_size"),
        ({"common": ("batch_size=1",)}, "batch_size must be"),
        ({"trials": 0}, "trials must be"),
        ({"objective": "accuracy"}, "objective must be one of"),
        ({"common": ("monitor.knn=False",)}, "needs monitor.knn"),
    ],
)
def test_a_wrong_field_is_found_before_anything_runs(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        built(tmp_path, **changes)


@pytest.mark.parametrize(
    "recipe,field",
    [
        ("quickstart", "augment.area"),
        ("speech", "audio.mixup"),
        ("text", "text.drop"),
        ("histories", "history.keep"),
    ],
)
def test_the_default_space_has_the_views_of_the_kind_of_data(
    tmp_path, recipe, field
):
    assert built(tmp_path, base=recipe).space[-1].field == field


@pytest.mark.parametrize(
    "wrong,advice,right",
    [
        ({"space": ()}, "('optimizer.base_lr', 'log', 1e-3, 1e-1)",
         {"space": (("optimizer.base_lr", "log", 1e-3, 1e-1),)}),
        ({"space": (("augment.flip", "float", 0.5),)}, "'int', low, high)",
         {"space": (("augment.flip", "float", 0.0, 0.5),)}),
        ({"space": (("augment.flip", "choice", 0.5),)}, "value, value, ...)",
         {"space": (("augment.flip", "choice", 0.0, 0.5),)}),
        ({"common": ("monitor.knn=False",)}, "monitor.knn=True",
         {"common": ("monitor.knn=True",)}),
        ({"objective": "kNN"}, "one of knn, label_free",
         {"objective": "label_free", "common": ("monitor.knn=False",)}),
        ({"base": "clothes"}, "`byol_tf` alone lists", {"base": "quickstart"}),
    ],
)  # fmt: skip
def test_what_an_error_advises_works(tmp_path, wrong, advice, right):
    with pytest.raises((OSError, ValueError), match=re.escape(advice)):
        built(tmp_path, **wrong)
    assert built(tmp_path, **right).trials


def test_what_a_trial_chose_wins_over_what_all_share(tmp_path):
    job = built(tmp_path, common=("objective.tau=0.9", "epochs=3"))
    command = job.train(["objective.tau=0.8"], tmp_path / "trial")
    assert "--config.objective.tau=0.8" in command
    assert "--config.objective.tau=0.9" not in command
    assert "--config.epochs=3" in command


def test_without_a_folder_it_says_what_it_needs():
    assert_one_clear_line(run_tune(), "--workdir")


def test_the_command_of_a_written_configuration_loads_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = quickstart.get_config()
    config.objective.tau = 0.123
    text = tune_builders.config_file(config, ["objective.tau=0.123"], "my runs")
    command = re.search("# byol_tf pretrain RUN (.*)", text)[1]
    (path,) = (w.removeprefix("--config=") for w in shlex.split(command))
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(text)
    assert command_line.load(path, ()).to_dict() == config.to_dict()
    assert "#     objective.tau=0.123" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_encoder_is_measured_without_labels_the_same_way_twice(tmp_path):
    folder = make_run(tmp_path)
    config = tune.get_config()
    # Views are those of the base: of gray images, as these are not.
    config.common = tuple(f for f in TINY if f.startswith("augment."))
    config.label_free.samples = 40
    numbers = [
        tune_builders.measure_label_free(
            config, folder, load=command_line.load, defaults=base.get_config()
        )
        for _ in range(2)
    ]
    assert numbers[0] == numbers[1]
    assert 1 < numbers[0]["effective_rank"] <= 40
    assert 0 < numbers[0]["alignment"] < 4
    assert -8 < numbers[0]["uniformity"] < 0
    assert (folder / "label_free.json").exists()


@pytest.mark.slow
def test_a_search_from_the_command_line_to_a_training(tmp_path):
    pytest.importorskip("optuna")
    write_arrays(tmp_path / "data.npz", channels=3, count=120)
    common = (*TINY, f"data.dir={tmp_path / 'data.npz'}")
    result = run_tune(
        "--workdir=search",
        "--config.trials=1",
        "--config.space=(('objective.tau','float',0.5,0.9),)",
        f"--config.common={common!r}",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert "label-free" in result.stdout
    best = command_line.load(str(tmp_path / "search" / "best_config.py"), ())
    assert 0.5 <= best.objective.tau <= 0.9
    folder = next((tmp_path / "search").glob("trial0000"))
    trained = run_config.config_of_run(None, folder, base.get_config())
    assert best.encoder.to_dict() == trained.encoder.to_dict()
    assert (folder / "label_free.json").exists()
