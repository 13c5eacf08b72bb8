"""Objects are learned from drawn scenes, through the whole job."""

import json
import shutil

import pytest

from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.jobs.finetune import results
from configs import base, objects
from tests.support.runs import make_run
from tests.support.scenes import make_scenes

NAN = float("nan")
SIDE = 48


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return make_run(
        tmp_path_factory.mktemp("objects"),
        size=24,
        **{
            "encoder.blocks": (1, 1, 1),
            "encoder.widths": (8, 16, 32),
            "encoder.stem": "strided",
        },
    )


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp("scenes") / "shapes")


def config_of(folder, **overrides):
    config = objects.get_config()
    config.update_from_flattened_dict(
        {
            "size": SIDE,
            "min_steps": 60,
            "max_steps": 60,
            "eval_every": 30,
            "learning_rates": (0.1,),
            "view.jitter": 0.0,
            "variants": ("fine-tuned",),
            "data.source": "folder",
            "data.dir": str(folder),
            "data.test_split": "",
            **overrides,
        }
    )
    return config


def build(config, run_folder, labels=("all",)):
    return finetune_builders.fine_tuning(
        config, run_folder, base.get_config(), task="detection", labels=labels
    )


@pytest.fixture(scope="module")
def finished(run_folder, scenes):
    job = build(config_of(scenes), run_folder)
    return job, job.run(run_folder)


@pytest.mark.slow
def test_scenes_are_learned(finished, run_folder):
    job, result = finished
    assert job.train.examples.row_shape == (SIDE, SIDE, 3)
    assert result["test_images"] == 8 and result["labelled_images"] == 24
    numbers = result["fractions"]["100%"]["variants"]["fine-tuned"]
    assert numbers["ap50"] > 0.5
    assert set(numbers["ap_by_class"]) == {"disc", "square"}
    assert 0 < result["confidence"]["best"] < 1
    assert 0.5 < result["confidence"]["f1"] <= 1
    page = (run_folder / "finetune.html").read_text()
    for heading in (
        *("First batch", "Truth and prediction", "Most errors"),
        *("Precision, recall and F1", "What is confused", "best F1 on"),
    ):
        assert heading in page
    written = json.loads((run_folder / "finetune.json").read_text())
    variants = written["fractions"]["100%"]["variants"]
    assert variants["fine-tuned"]["ap50"] == numbers["ap50"]


def test_every_class_has_a_line():
    variants = {"frozen": {"ap_by_class": {"disc": 0.5, "square": NAN, "x": 0}}}
    fractions = {"all": {"variants": variants}}
    result = {"metric": "ap", "percent": True, "fractions": fractions}
    assert results.by_name(result) == [
        "AP by class, all, frozen: disc 50.0 %, x 0.0 %."
    ]
    assert results.by_name({**result, "metric": "accuracy"}) == []


def test_what_annotations_say_is_printed(scenes, run_folder, capsys):
    build(config_of(scenes), run_folder)
    lines = capsys.readouterr().out
    assert "train.json: 24 images" in lines and "(disc " in lines


def test_a_folder_without_boxes_is_refused(run_folder, tmp_path, scenes):
    shutil.copytree(scenes / "images", tmp_path / "images")
    with pytest.raises(ValueError, match="detection needs boxes"):
        build(config_of(tmp_path), run_folder)
