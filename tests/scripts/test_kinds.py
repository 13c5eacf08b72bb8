"""configs.kinds: what kind of data files are, and the recipe for it."""

import json
import sys

import pytest

from byol_tf.modalities.registry import MEMBERS, load_modality
from configs import (
    base,
    compare,
    data_argument,
    door,
    embed,
    export,
    finetune,
    kinds,
)
from configs.command_line import find, load
from configs.fields import flat

SIGNAL = "tests.support.toy_modality:SIGNALS"


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return str(folder)


@pytest.fixture(name="two")
def _two(monkeypatch):
    """A second kind, as somebody would add one."""
    kind = kinds.Kind("quickstart", (".sig", ".flac"))
    monkeypatch.setitem(kinds.KINDS, "signal", kind)


def recipe(data, *arguments):
    found = data_argument.with_recipe([f"--data={data}", *arguments])
    return found[0].removeprefix("--config=")


@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_kind_has_the_extensions_of_its_modality_and_a_recipe(name):
    assert set(kinds.KINDS[name].extensions) == set(
        load_modality(name).extensions
    )
    assert find(kinds.KINDS[name].recipe).endswith(".py")


def test_every_modality_is_a_kind():
    assert kinds.KINDS.keys() == MEMBERS.keys()


def test_the_files_decide_and_the_line_says_so(two, tmp_path, capsys):
    data = make(tmp_path, "a/1.SIG", "a/2.flac", "b.sig", "b/1.png", "c.txt")
    assert recipe(data) == find("quickstart")
    line = capsys.readouterr().out
    assert line.startswith(
        "Data: signals, from 3 files (.sig, .flac), 1 are im"
    )
    assert "change it by --modality=" in line


def test_a_table_is_what_its_paths_are(two, tmp_path):
    (tmp_path / "all.csv").write_text('path,label\n"a/1.sig",x\nb.sig,y\n')
    assert kinds.kind_of(str(tmp_path / "all.csv"))[0] == "signal"


def test_files_of_a_system_are_not_looked_at(two, tmp_path):
    data = make(tmp_path, "@eaDir/1.png", ".trash/2.png", "a/1.sig")
    assert kinds.kind_of(data)[0] == "signal"


def test_no_more_files_are_looked_at_than_needed(two, tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "LOOKED_AT", 2)
    data = make(tmp_path, "1.sig", "2.sig", "3.sig")
    assert "from 2 files" in kinds.kind_of(data)[1]


@pytest.mark.parametrize("data", ["tfds:mnist", "a.npz", ""])
def test_where_nothing_is_seen_nothing_is_said(data, tmp_path):
    assert kinds.kind_of(data or str(tmp_path)) == ("image", "")


def test_a_modality_that_is_given_holds(two, tmp_path, capsys):
    data = make(tmp_path, "1.png")
    assert recipe(data, "--modality=signal") == find("quickstart")
    given = data_argument.with_recipe(
        [f"--data={data}", f"--modality={SIGNAL}"]
    )
    assert f"--config.modality={SIGNAL}" in given
    assert given[0] == f"--config={find('photos')}"
    assert not capsys.readouterr().out


def test_a_recipe_that_is_given_says_what_its_data_are(two, tmp_path, capsys):
    data = make(tmp_path, "1.sig")
    given = [f"--data={data}", "--config=mine.py"]
    assert set(data_argument.with_recipe(given)) == set(given)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "recipe,field,kind",
    [
        ("speech", "augment.hue=0.0", "image"),
        ("text", "data.window=full", "image"),
        ("histories", "encoder.stem=small", "image"),
        ("photos", "data.window_seconds=1.0", "audio"),
        ("speech", "data.pair_column=answer", "text"),
    ],
)
def test_a_field_of_another_kind_is_refused(recipe, field, kind):
    own = load(recipe, ()).modality
    with pytest.raises(ValueError) as caught:
        load(recipe, (field,))
    assert str(caught.value) == (
        f"{field.partition('=')[0]} is for modality={kind} and has no effect "
        f"on modality={own}; leave it out"
    )


def test_a_field_of_the_own_kind_or_of_all_is_taken():
    given = ("audio.mixup=0.1", "data.window_seconds=1.0")
    config = load("speech", (*given, "augment.place=pipeline"))
    assert config.audio.mixup == 0.1 and config.augment.place == "pipeline"


def test_every_field_of_one_kind_exists():
    commands = (base, finetune, embed, export)
    fields = [n for m in commands for n, _ in flat(m.get_config())]
    for names in kinds.OWN.values():
        for name in names:
            assert any(f == name or f.startswith(f"{name}.") for f in fields)


def test_a_field_without_effect_on_the_run_is_refused(tmp_path, monkeypatch):
    (tmp_path / "encoder.keras").touch()
    about = json.dumps({"modality": "text"})
    (tmp_path / "preprocessor.json").write_text(about)
    monkeypatch.setattr(sys, "argv", ["byol_tf", "--config.view.flip=0.5"])
    with pytest.raises(ValueError, match=r"view\.flip is for modality=im"):
        door.check_encoder(tmp_path)


def test_a_modality_of_ones_own_may_use_every_field():
    given = (f"modality={SIGNAL}", "augment.hue=0.0", "text.drop=0.1")
    assert load("quickstart", given).text.drop == 0.1


@pytest.mark.parametrize("recipe,count", [("quickstart", 7), ("text", 5)])
def test_ablations_of_images_are_left_out_for_other_kinds(recipe, count):
    config = compare.get_config("ablations")
    config.base = find(recipe)
    compare.leave_out_others(config)
    assert len(config.variants) == count
