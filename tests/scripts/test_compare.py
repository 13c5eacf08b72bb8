"""`compare.py` as a user starts it, and what its presets say."""

import csv
import functools
import re

import pytest

from byol_tf.jobs.compare import build as compare_builders
from byol_tf.jobs.compare.plan import plan
from byol_tf.jobs.pretrain import build as builders
from byol_tf.runs import config as run_config
from configs import base, command_line, compare
from tests.support.runs import make_run, write_arrays
from tests.support.scripts import ROOT, TINY, assert_one_clear_line, run_script

run_compare = functools.partial(run_script, "compare.py")


@pytest.mark.parametrize("preset", ["", "objectives", "ablations", "batch"])
def test_every_run_of_a_preset_is_one_that_can_be_configured(preset):
    config = compare.get_config(preset)
    runs = plan(config.variants, config.grid, (0,), config.common)
    seen = set()
    for run in runs:
        loaded = command_line.load(config.base, run.overrides)
        builders.check(loaded)
        seen.add(run_config.config_text(loaded))
    assert len(seen) == len(runs)


def test_overrides_are_read_as_the_command_line_reads_them():
    config = command_line.load(
        str(ROOT / "configs" / "quickstart.py"),
        ("augment.blur=(0.1,0.2)", "batch_size=7", "monitor.probe=False"),
    )
    assert config.augment.blur == (0.1, 0.2)
    assert config.batch_size == 7 and config.monitor.probe is False


def built(workdir, **changes):
    config = compare.get_config()
    config.update(changes)
    return compare_builders.comparison(
        config,
        workdir,
        load=command_line.load,
        train=["python", "train.py"],
        defaults=base.get_config(),
    )


@pytest.mark.parametrize(
    "changes,match",
    [
        ({"common": ("batchsize=3",)}, "base, seed 0: .*no field 'batchsize'"),
        ({"variants": (("a", "batch_size=many"),)}, "a, seed 0: .*batch_size"),
        ({"grid": (("batch_size", 1),)}, "batch_size=1, seed 0: batch_size"),
        ({"workers": 0}, "workers must be"),
    ],
)
def test_a_wrong_field_is_found_before_anything_runs(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        built(tmp_path / "new", **{"variants": (), **changes})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "wrong,advice,right",
    [
        ({"variants": ("abc",)}, "('slow target', 'objective.tau=0.999')",
         {"variants": (("slow target", "objective.tau=0.999"),)}),
        ({"variants": (("...",),)}, "must have a letter",
         {"variants": (("...a",),)}),
        ({"grid": (("objective.tau",),)}, "('objective.tau', 0.9, 0.99)",
         {"grid": (("objective.tau", 0.9, 0.99),)}),
        ({"common": ("objective.tau",)}, "as objective.tau=0.99",
         {"common": ("objective.tau=0.99",)}),
        ({"common": ("seed=3",)}, "seeds sets the seed", {"seeds": (3,)}),
        ({"base": "clothes"}, "`byol_tf` alone lists", {"base": "quickstart"}),
    ],
)  # fmt: skip
def test_what_an_error_advises_works(tmp_path, wrong, advice, right):
    with pytest.raises((OSError, ValueError), match=re.escape(advice)):
        built(tmp_path, **wrong)
    assert built(tmp_path, **right).runs


def test_a_base_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match=r"no configuration file /nowhere"):
        built(tmp_path, base="/nowhere.py")


def test_a_run_of_another_configuration_is_refused(tmp_path):
    run = make_run(tmp_path)
    (tmp_path / "byol").mkdir()
    run.rename(tmp_path / "byol" / "seed0")
    with pytest.raises(
        ValueError, match=r"byol, seed 0: .*another config.*another --workdir"
    ):
        built(tmp_path)
    assert built(tmp_path / "another").runs


def test_the_command_is_that_of_a_training(tmp_path):
    job = built(tmp_path, common=("epochs=3",))
    command = job.command(job.runs[0].overrides, tmp_path / "run")
    assert command == [
        *("python", "train.py"),
        f"--config={ROOT / 'configs' / 'quickstart.py'}",
        "--config.epochs=3",
        "--config.seed=0",
        f"--workdir={tmp_path / 'run'}",
    ]


def test_a_wrong_preset_ends_with_one_clear_line(tmp_path):
    result = run_compare(
        f"--workdir={tmp_path / 'new'}", "--config=configs/compare.py:all"
    )
    assert_one_clear_line(result, "objectives, ablations")


@pytest.mark.slow
def test_a_variant_from_the_command_line_to_the_table(tmp_path):
    write_arrays(tmp_path / "data.npz", channels=3, count=120)
    common = (*TINY, f"data.dir={tmp_path / 'data.npz'}")
    flags = [
        f"--workdir={tmp_path / 'runs'}",
        "--config.variants=(('other','objective.tau=0.5'),)",
        "--config.seeds=(0,)",
        f"--config.common={common!r}",
    ]
    result = run_compare(*flags)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert "linear %" in result.stdout and "memory GB" in result.stdout
    with open(tmp_path / "runs" / "compare.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["variant"] == "other"
    assert 0 < float(row["knn_accuracy"]) <= 1
    # A process with TensorFlow has some hundred megabytes.
    assert float(row["peak_memory_bytes"]) > 2e8
    folder = tmp_path / "runs" / "other" / "seed0"
    trained = run_config.config_of_run(None, folder, base.get_config())
    assert trained.objective.tau == 0.5
    again = run_compare(*flags)
    assert "1 of 1 runs are finished already." in again.stdout
