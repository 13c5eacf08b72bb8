"""Which versions are served as a folder changes."""

import asyncio
import shutil
from types import SimpleNamespace

import pytest

from byol_tf.serving.errors import NotFound
from byol_tf.serving.versions import Versions, find_versions


def write(directory, number, text="good"):
    folder = directory / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_text(text)


def load(number, folder):
    if (folder / "saved_model.pb").read_text() != "good":
        raise ValueError(f"{folder.name} is broken\nand more")
    return SimpleNamespace(number=number, uses=0)


def make(directory, **options):
    return Versions(directory, load=load, **options)


def names(versions):
    return {number: state.name for number, state in versions.states.items()}


def update(versions):
    asyncio.run(versions.update())


def test_only_numbers_with_a_model_are_versions(tmp_path):
    for name in ("1", "007", "12", ".unfinished-3", "x", "²"):
        write(tmp_path, name)
    (tmp_path / "99").mkdir()
    assert sorted(find_versions(tmp_path)) == [1, 7, 12]


def test_a_folder_can_be_a_version_itself(tmp_path):
    write(tmp_path, 5)
    write(tmp_path, "model")
    assert list(find_versions(tmp_path / "5")) == [5]
    assert list(find_versions(tmp_path / "model")) == [1]


def test_a_new_version_takes_over(tmp_path):
    write(tmp_path, 1)
    versions = make(tmp_path)
    update(versions)
    assert versions.find().number == 1
    write(tmp_path, 3)
    update(versions)
    assert versions.find().number == versions.find(3).number == 3
    assert names(versions) == {1: "END", 3: "AVAILABLE"}
    with pytest.raises(NotFound, match="version 1"):
        versions.find(1)


def test_the_old_one_is_kept_until_its_requests_are_done(tmp_path):
    write(tmp_path, 1)
    versions = make(tmp_path)
    update(versions)
    with versions.lease() as old:
        write(tmp_path, 2)
        update(versions)
        assert old.number == 1 and versions.find().number == 2
        assert names(versions) == {1: "UNLOADING", 2: "AVAILABLE"}
    assert names(versions) == {1: "END", 2: "AVAILABLE"}


def test_a_broken_version_is_told_and_the_old_one_stays(tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2, "half")
    versions = make(tmp_path)
    update(versions)
    assert versions.find().number == 1
    assert versions.states[2].name == "END"
    assert versions.states[2].error == "2 is broken"


def test_a_broken_version_is_tried_again_when_its_files_change(tmp_path):
    write(tmp_path, 2, "half")
    tried = []

    def counted(number, folder):
        tried.append(number)
        return load(number, folder)

    versions = Versions(tmp_path, load=counted)
    for _ in range(3):
        update(versions)
    assert tried == [2] and versions.newest is None
    write(tmp_path, 2)
    update(versions)
    assert tried == [2, 2] and versions.find().number == 2
    assert versions.states[2].error == ""


def test_a_version_that_is_removed_gives_way_to_an_older_one(tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2)
    versions = make(tmp_path)
    update(versions)
    shutil.rmtree(tmp_path / "2")
    update(versions)
    assert versions.find().number == 1
    assert names(versions) == {1: "AVAILABLE", 2: "END"}


def test_the_last_version_stays(tmp_path):
    write(tmp_path, 1)
    versions = make(tmp_path)
    update(versions)
    shutil.rmtree(tmp_path / "1")
    update(versions)
    assert versions.find().number == 1


def test_several_versions_can_be_kept(tmp_path):
    for number in range(1, 5):
        write(tmp_path, number)
    versions = make(tmp_path, kept=2)
    update(versions)
    assert names(versions) == {3: "AVAILABLE", 4: "AVAILABLE"}
    assert versions.find(3).number == 3 and versions.find().number == 4


def test_watching_survives_that_the_folder_is_gone_for_a_while(tmp_path):
    write(tmp_path / "m", 1)
    versions = make(tmp_path / "m")

    async def steps():
        await versions.update()
        watch = asyncio.ensure_future(versions.watch(0.01))
        (tmp_path / "m").rename(tmp_path / "away")
        await asyncio.sleep(0.1)
        (tmp_path / "away").rename(tmp_path / "m")
        write(tmp_path / "m", 2)
        for _ in range(500):
            await asyncio.sleep(0.01)
            if versions.find().number == 2:
                break
        watch.cancel()

    asyncio.run(steps())
    assert versions.find().number == 2
