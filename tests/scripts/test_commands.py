"""The command `byol_tf`: what its arguments mean, before anything runs."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from configs import command_line, commands, data_argument
from tests.support import doors
from tests.support.scripts import ROOT


def run(*words, cwd=ROOT, fakes=None, program=("-m", "byol_tf")):
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    if fakes:
        environment["PYTHONPATH"] = str(fakes)
        return doors.run(*program, *words, cwd=cwd, environment=environment)
    return subprocess.run(
        [sys.executable, *program, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=300,
    )


@pytest.fixture(name="fakes", scope="module")
def _fakes(tmp_path_factory):
    """Libraries whose import ends the process with a word."""
    folder = tmp_path_factory.mktemp("fakes")
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
    return folder


@pytest.fixture(name="folder")
def _folder(tmp_path):
    for name in ("photos/a", "photos/b", "run"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run" / "encoder.keras").touch()
    (tmp_path / "run" / "classifier.keras").touch()
    (tmp_path / "photos" / "a" / "1.png").touch()
    np.savez(tmp_path / "a.npz", x_train=np.zeros(1))
    (tmp_path / "photos" / "labels.csv").write_text("path,label\na/1.png,x\n")
    return tmp_path


def test_alone_it_names_every_command_and_recipe(fakes):
    done = run(fakes=fakes)
    assert done.returncode == 0 and not done.stderr
    for name in (*commands.COMMANDS, "quickstart", "photos", "cifar10_simclr"):
        assert f" {name}" in done.stdout
    # Modules beside the recipes, and recipes of another command.
    assert not any(f" {n}" in done.stdout for n in ("fields", "transcripts"))


@pytest.mark.parametrize(
    "name,field,comment",
    [
        ("pretrain", "augment.flip=0.5", "probability"),
        ("evaluate", "view.area", "range of the crop"),
        ("finetune", "data.layout", "Folders: table"),
        ("tune", "prune.enabled=True", "stop trials below the median"),
    ],
)
def test_help_lists_the_fields_with_what_they_mean(name, field, comment, fakes):
    text = run(name, "--help", fakes=fakes).stdout
    assert re.search(rf"  --config\.{field}\n      {comment}", text)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_of_a_command_has_its_own_words_and_flags(name, fakes):
    done = run(name, "--help", fakes=fakes)
    assert not done.stderr
    assert f"    byol_tf {name}" in done.stdout
    assert f"Flags of byol_tf {name}:" in done.stdout
    folder = {"serve": "--model", "system": "--run"}.get(name, "--workdir")
    assert folder in done.stdout


@pytest.mark.parametrize(
    "words,told",
    [
        (["embedd"], "there is no command 'embedd'; there are pretrain"),
        (["pretrain", "/nowhere", "run"], "there is no folder '/nowhere'"),
        (["finetune", "run", "--data=a/train.json"], "give the folder of that"),
        (["pretrain", "/nowhere.npz", "run"], "there is no such file"),
        (["pretrain", "tfds:", "run"], "must name a set"),
        (["pretrain", "photos", "run", "more"], "unexpected argument 'more'"),
        (["pretrain"], "--workdir is missing (Run folder); `"),
        (["predict", "run"], "--images is missing (Folder of files to"),
        (["pretrain", "photos"], "too: byol_tf pretrain photos RUN"),
        (["pretrain", "photos", "r", "--config.encoder.weights=x"], "imagenet"),
        (["system"], "`name` must be one of customer_service"),
        (["system", "code_search"], "`verb` must be one of fit, ask"),
        (["system", "code_search", "ask"], "needs --run=FOLDER"),
        (["system", "code_search", "fit", "--run=r"], "needs --data=FOLDER"),
        (["predict", "none", "-"], "no classifier.keras in none"),
        (["predict", "run", "no.csv"], "there is no file 'no.csv'"),
        (["predict", "run", "-", "--out=x.csv"], "leave out --out"),
        (["predict", "run", "photos", "--out=p.xlsx"], "not as .xlsx"),
        (["predict", "run", "photos", "--rate=8000"], "--rate is for events"),
        (["predict", "run", "-", "--tiles=2x2"], "--tiles has no effect"),
        (["embed", "run", "tfds:mnist"], "a folder, a .csv or an .npz file"),
        (["finetune", "run", "--data", "no.csv"], "no.csv: there is no such"),
        (["compare", "no.npz", "new"], "no.npz: there is no such file"),
        (["compare", "/phtos"], "there is no /phtos: neither data nor"),
        (["tune", "/phtos"], "byol_tf tune /phtos --config.base=quickstart"),
        (["compare", "photos", "--config.workers=2"], "photos RUNS"),
        (["tune", "tfds:mnist"], "tfds:mnist holds data and no runs"),
        (["embed", "none", "photos"], "no encoder in none"),
        (["finetune", "run", "--nothing=1"], "Unknown command line flag"),
        (["finetune", "run", "--labels=ten%"], "Received: 'ten%'"),
        (["pretrain", "photos", "new", "--config=phtos"], "phtos"),
        (["pretrain", "new", "--config=finetune"], "without the field check"),
        (["evaluate", "run", "--config=photos"], "of configs/eval_linear.py"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, told, folder, fakes):
    done = run(*words, cwd=folder, fakes=fakes, program=[ROOT / "byol_tf"])
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and told in line


@pytest.mark.parametrize(
    "words",
    [
        ["pretrain", "photos", "new"],
        ["pretrain", "photos", "new", "--config=quickstart"],
        ["pretrain", "a.npz", "new", "--config.epochs=3"],
        ["pretrain", "photos", "new", "--config.deterministic", "--minutes=5"],
        ["pretrain", "new", "--config=imagenet:40,1000"],
        [
            *("pretrain", "photos", "new", "--config.augment.size=96"),
            "--config.encoder.name=efficientnet_lite0",
            "--config.encoder.weights=imagenet",
        ],
        ["evaluate", "run", "--data=photos"],
        ["finetune", "run", "--data", "photos", "--labels", "10%"],
        ["predict", "run", "photos", "--out=p.csv"],
        ["export", "run", "out"],
        ["embed", "run", "photos"],
        ["select", "run", "photos", "--count", "5"],
        ["embed", "--workdir=run", "photos"],
        ["serve", "run"],
        ["compare", "new", "--config.base=quickstart"],
        ["compare", "photos", "new"],
        ["compare", "run"],
        ["tune", "new", "--config.base=quickstart"],
        ["tune", "photos", "new"],
        ["pretrain", "photos/labels.csv", "new"],
        ["pretrain", "memory://photos", "new"],
        ["embed", "run", "photos/labels.csv"],
    ],
)
def test_what_is_right_goes_on_to_the_import(words, folder, fakes):
    done = run(*words, cwd=folder, fakes=fakes, program=[ROOT / "byol_tf"])
    assert done.stderr.strip() == "imported"


def test_the_package_is_imported_whole_by_a_program(fakes):
    done = run(fakes=fakes, program=["-c", "import byol_tf"])
    assert done.stderr.strip() == "imported"


def test_a_child_is_started_by_the_package_itself(folder, fakes):
    program = command_line.command("embed")[1:]
    done = run("run", "photos", cwd=folder, fakes=fakes, program=program)
    assert done.stderr.strip() == "imported"


@pytest.mark.parametrize(
    "name,split",
    [("test", "test"), ("Val", "Val"), ("validation", "validation")],
)
def test_a_folder_beside_train_is_its_test_split(name, split, tmp_path):
    for one in ("train", name, "other"):
        (tmp_path / one).mkdir()
    found = data_argument.overrides(str(tmp_path))
    assert f"--config.data.test_split={split}" in found
    assert "--config.data.source=folder" in found


def test_a_class_called_like_a_split_is_none(tmp_path):
    for one in ("bus", "test"):
        (tmp_path / one).mkdir()
        (tmp_path / one / "1.jpg").touch()
    found = data_argument.overrides(str(tmp_path))
    assert "--config.data.test_split=" in found


@pytest.mark.parametrize("path", ["{}\\a.png", "./{}/a.png", " {}/a.png"])
def test_a_table_shows_its_splits_however_paths_are_written(path, tmp_path):
    lines = [f"{path.format(split)},x\n" for split in ("train", "test")]
    (tmp_path / "t.csv").write_text("path,label\n" + "".join(lines))
    found = data_argument.overrides(str(tmp_path / "t.csv"))
    assert "--config.data.test_split=test" in found


def test_folders_of_a_system_are_no_classes(tmp_path):
    for one in ("train", "test", "@eaDir", ".thumbnails"):
        (tmp_path / one).mkdir()
        (tmp_path / one / "1.jpg").touch()
    found = data_argument.overrides(str(tmp_path))
    assert "--config.data.test_split=test" in found


def test_an_address_is_a_folder_that_is_not_looked_at():
    found = data_argument.overrides("memory://photos")
    assert "--config.data.source=folder" in found
    assert "--config.data.dir=memory://photos" in found


@pytest.mark.parametrize("name,split", [("val", "val"), ("more", "")])
def test_a_folder_of_records_is_one(name, split, tmp_path):
    for one in ("train", name):
        (tmp_path / f"{one}-00000-of-00001.tfrecord").touch()
    found = data_argument.overrides(str(tmp_path))
    assert "--config.data.source=tfrecord" in found
    assert f"--config.data.test_split={split}" in found


def test_without_one_a_tenth_is_held_out(folder):
    found = data_argument.overrides(str(folder / "photos"))
    assert "--config.data.test_split=" in found


def test_a_set_of_tfds_is_named(folder):
    found = data_argument.overrides("tfds:cifar10")
    assert found[:2] == [
        "--config.data.source=tfds",
        "--config.data.name=cifar10",
    ]


def test_a_home_folder_is_meant_by_its_sign(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert f"--config.data.dir={folder}/photos" in data_argument.overrides(
        "~/photos"
    )


def test_a_field_that_is_given_holds_against_the_data(folder):
    field = "--config.data.test_split=b"
    words = data_argument.with_overrides(
        [f"--data={folder}/photos", field, "--workdir=x"]
    )
    assert words.index(field) > words.index("--config.data.test_split=")


@pytest.mark.slow
def test_a_command_knows_the_classes_of_an_old_folder(tmp_path):
    kept = ROOT / "tests" / "data" / "run_of_release_0_1"
    shutil.copytree(kept, tmp_path / "run")
    (tmp_path / "images").mkdir()
    pixels = np.zeros((12, 12, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png")
    program = [ROOT / "byol_tf"]
    done = run("embed", "run", "images", cwd=tmp_path, program=program)
    assert done.returncode == 0, done.stderr
    notes = r"^[IWE]0000|absl::Init|^To enable|Sharding|retracing|\bXLA\b"
    assert not re.search(notes, done.stderr, re.MULTILINE)
    assert (tmp_path / "run" / "embeddings.parquet").is_file()
