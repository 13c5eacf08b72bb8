import json
import multiprocessing
import os

import pytest

from byol_tf.locks import FILE, FolderInUseError, owned_folder

FORK = multiprocessing.get_context("fork")


def test_a_second_writer_is_shown_the_first(tmp_path):
    with (
        owned_folder(tmp_path),
        pytest.raises(FolderInUseError, match=f"process {os.getpid()} on .* "),
        owned_folder(tmp_path),
    ):
        pass


def test_the_second_leaves_the_lock_of_the_first(tmp_path):
    with owned_folder(tmp_path):
        for _ in range(2):
            with pytest.raises(FolderInUseError), owned_folder(tmp_path):
                pass


def test_a_folder_is_free_after_its_writer(tmp_path):
    with pytest.raises(KeyboardInterrupt), owned_folder(tmp_path / "new"):
        raise KeyboardInterrupt
    with owned_folder(tmp_path / "new"):
        assert (tmp_path / "new" / FILE).exists()
    assert not (tmp_path / "new" / FILE).exists()


def die_in(folder):
    with owned_folder(folder):
        os._exit(9)


def test_the_lock_of_a_process_that_died_is_taken_over(tmp_path, caplog):
    process = FORK.Process(target=die_in, args=(tmp_path,))
    process.start()
    process.join()
    with caplog.at_level("WARNING"), owned_folder(tmp_path):
        owner = json.loads((tmp_path / FILE).read_text())
    assert f"process {process.pid} on" in caplog.text
    assert "which is gone" in caplog.text and owner["process"] == os.getpid()


def leave_a_child_in(folder, ready, end):
    with owned_folder(folder):
        if os.fork():
            os._exit(9)  # as a kill would end it; the child has the lock
        ready.set()
        end.wait()
        os._exit(0)


def test_a_killed_parent_whose_child_goes_on_is_not_said_to_run(tmp_path):
    ready, end = FORK.Event(), FORK.Event()
    process = FORK.Process(target=leave_a_child_in, args=(tmp_path, ready, end))
    process.start()
    process.join()
    ready.wait()
    said = f"what process {process.pid} on .* started and left behind"
    try:
        with (
            pytest.raises(FolderInUseError, match=said),
            owned_folder(tmp_path),
        ):
            pass
    finally:
        end.set()


@pytest.mark.parametrize("text", ["", "[]", "12", "{"])
def test_a_damaged_lock_is_no_obstacle(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with owned_folder(tmp_path):
        pass


def test_two_folders_have_two_owners(tmp_path):
    with owned_folder(tmp_path), owned_folder(tmp_path / "inner"):
        pass


def test_what_was_left_half_written_goes_with_the_lock(tmp_path):
    process = FORK.Process(target=os._exit, args=(0,))
    process.start()
    process.join()
    (tmp_path / f".train.{process.pid}.json").touch()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f".photos-5f.{process.pid}.npy").touch()
    with owned_folder(tmp_path):
        left = {p.name for p in tmp_path.rglob("*")}
        assert left == {FILE, "cache"}
