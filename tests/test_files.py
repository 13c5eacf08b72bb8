"""Files are written whole, named in errors, and on the disk when renamed."""

import errno
import os

import pytest

from byol_tf import files


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls, names = [], {}

    def opened(path, *args, opened=os.open):
        number = opened(path, *args)
        names[number] = str(path)
        return number

    def replace(old, new, replace=os.replace):
        calls.append(("rename", str(new)))
        replace(old, new)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(
        os, "fsync", lambda number: calls.append(("flush", names[number]))
    )
    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    assert calls == [
        ("flush", f"{tmp_path}/.a.{os.getpid()}.json"),
        ("rename", str(path)),
        ("flush", str(tmp_path)),
    ]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        OSError("Unable to flush file (errno = 28)"),
    ],
)
def test_an_error_names_the_file_and_leaves_the_old_one(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match=r"a\.txt"), files.whole_file(path) as new:
        new.write_text("half")
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_an_error_that_names_a_file_keeps_it(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="other"),
        files.whole_file(tmp_path / "a.txt"),
    ):
        (tmp_path / "other").read_text()


def gone():
    """The number of a process that has ended."""
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)
    return process


def test_what_a_process_that_is_gone_left_is_removed(tmp_path):
    for name in (
        f".metrics.{gone()}.jsonl",
        f".encoder.{gone()}.keras",
        f".predictions.csv.{gone()}.json",
        f".my photos-5f-00000.{gone()}.pack",
        f".encoder.{os.getpid()}.keras",
        ".mine.txt",
        "metrics.jsonl",
    ):
        (tmp_path / name).touch()
    (tmp_path / f".unfinished-{gone()}").mkdir()
    files.remove_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f".encoder.{os.getpid()}.keras",
        ".mine.txt",
        "metrics.jsonl",
    ]


@pytest.mark.parametrize(
    "name", ["a [b=1]", "a*?", "a\nb", "é", os.fsdecode(b"\xff"), "a'\"b"]
)
def test_a_folder_of_any_name_has_a_plain_path(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with files.plain_path(folder) as path:
        (folder / "x").touch()
        assert os.listdir(path) == ["x"]
        assert path.isascii() and not set(path) & set("[]*?\n'\"")
    assert (folder / "x").exists()


def test_a_plain_folder_is_taken_as_it_is(tmp_path):
    with files.plain_path(tmp_path / "a b=1,c") as path:
        assert path == str(tmp_path / "a b=1,c")


def test_json_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "coco.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert files.read_json(tmp_path / "coco.json") == {"a": 1}
