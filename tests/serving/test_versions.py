"""Which versions are served as a folder changes."""

import asyncio
import io
import os
import shutil
import threading
import wave
from types import SimpleNamespace

import pytest
from PIL import Image

from byol_tf.serving import versions as served
from byol_tf.serving.errors import NotFound
from byol_tf.serving.model import tiny_file
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
    versions = make(tmp_path, max_versions=2)
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


def test_a_pipe_among_the_files_of_a_version_is_not_waited_for(tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2)
    (tmp_path / "2" / "variables").mkdir()
    os.mkfifo(tmp_path / "2" / "variables" / "variables.index")
    versions = Versions(tmp_path, load=load)
    update(versions)
    assert versions.find().number == 1
    assert versions.states[2].error == (
        "variables/variables.index is no regular file"
    )


def test_a_file_that_is_gone_while_it_is_looked_at_is_tried_again(tmp_path):
    write(tmp_path, 1)
    link = tmp_path / "1" / "data"
    link.symlink_to(tmp_path / "nowhere")
    versions = make(tmp_path)
    update(versions)
    assert versions.newest is None and "data" in versions.states[1].error
    link.unlink()
    update(versions)
    assert versions.find().number == 1


class Hanging:
    """A function that does not return until it may."""

    def __init__(self, function):
        self._function = function
        self.may = threading.Event()
        self.calls = 0

    def __call__(self, *args):
        self.calls += 1
        self.may.wait()
        return self._function(*args)


def test_a_version_that_hangs_has_failed_and_is_served_once_it_loads(tmp_path):
    write(tmp_path, 1)
    slow = Hanging(load)

    def load_two_slowly(number, folder):
        return (slow if number == 2 else load)(number, folder)

    async def steps():
        versions = Versions(tmp_path, load=load_two_slowly, load_s=0.1)
        await versions.update()
        write(tmp_path, 2)
        for _ in range(3):
            await versions.update()
        failed = versions.find().number, versions.states[2]
        write(tmp_path, 3)
        await versions.update()
        newer = versions.find().number
        shutil.rmtree(tmp_path / "3")
        slow.may.set()
        for _ in range(100):
            await asyncio.sleep(0.02)
            await versions.update()
            if versions.find().number == 2:
                break
        return failed, newer, versions

    (number, state), newer, versions = asyncio.run(steps())
    assert (number, state.name, newer) == (1, "END", 3)
    assert "within 0.1 s" in state.error
    assert versions.find().number == 2 and versions.states[2].error == ""
    assert slow.calls == 1


def test_a_folder_that_does_not_answer_stops_nothing_else(
    tmp_path, monkeypatch
):
    write(tmp_path, 1)
    hanging = Hanging(find_versions)

    async def steps():
        versions = make(tmp_path, load_s=0.1)
        await versions.update()
        monkeypatch.setattr(served, "find_versions", hanging)
        for _ in range(3):
            with pytest.raises(OSError, match=r"within 0\.1 s"):
                await versions.update()
        return versions.find().number

    assert asyncio.run(steps()) == 1  # and the loop ends beside the thread
    assert hanging.calls == 1
    hanging.may.set()


def test_a_model_is_tried_with_a_file_of_its_kind():
    sound = io.BytesIO(tiny_file({"sounds", "serving_default"}))
    with wave.open(sound) as file:
        assert file.getnframes() == 64
    with Image.open(io.BytesIO(tiny_file({"images"}))) as image:
        assert image.size == (2, 2)
