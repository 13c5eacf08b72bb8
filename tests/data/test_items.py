"""Items by name: files, and rows of arrays."""

import io

import numpy as np
import pytest

from byol_tf.data.items import find_items, items_of
from byol_tf.data.rows import size_and_time


def find(data):
    return find_items(data, (".sig",), "signal")


def test_files_of_a_folder_or_a_table_are_paths(tmp_path):
    for name in ("b.sig", "a.sig"):
        (tmp_path / name).write_text(name)
    (tmp_path / "some.csv").write_text("path,label\nb.sig,x\n")
    items = find(tmp_path)
    assert items.names == ["a.sig", "b.sig"]
    assert items.read("a.sig") == tmp_path / "a.sig"
    assert items.stat("a.sig") == size_and_time(tmp_path / "a.sig")
    assert find(tmp_path / "some.csv").names == ["b.sig"]


def test_rows_of_all_splits_are_bytes_of_arrays(tmp_path):
    arrays = {"x_train": np.eye(3), "test_signals": np.ones((1, 3), np.uint8)}
    file = tmp_path / "a.npz"
    np.savez(file, **arrays)
    items = find(file)
    assert items.names == ["train/0", "train/1", "train/2", "test/0"]
    row = np.load(io.BytesIO(items_of(file, "signal").read("train/1")))
    np.testing.assert_array_equal(row, [0, 1, 0])
    assert items.stat("test/0") == size_and_time(file)
    assert items.read("test/1") == items.read("validation/0") == b""


def test_a_file_without_rows_is_refused_with_what_it_has(tmp_path):
    np.savez(tmp_path / "a.npz", other=np.eye(3))
    with pytest.raises(ValueError, match=r"'train_signals' .*but has other"):
        find(tmp_path / "a.npz")


def test_a_row_that_a_table_no_longer_has_is_empty(tmp_path):
    (tmp_path / "a.csv").write_text("text\nhello\n")
    items = items_of(tmp_path, "text", "")
    assert items.names == ["a.csv:2"] and items.read("a.csv:2") == b"hello"
    assert (
        items.read("a.csv:9") == b"" and items.caption("a.csv:9") == "a.csv:9 "
    )


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no file or folder"):
        find(tmp_path / "nowhere")
