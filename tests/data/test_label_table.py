"""Label tables: what is read, and which images it belongs to."""

import logging

import numpy as np
import pytest

from byol_tf.data.label_table import LabelTable, read_label_table


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(tmp_path, text):
    return read_label_table(write(tmp_path, text))


def test_columns_by_heading_and_paths_in_order(tmp_path):
    table = read(tmp_path, "path,label,age\nb/2.png,cat,3\na/1.png,,7\n")
    assert table.paths == ("b/2.png", "a/1.png")
    assert table.columns == {"label": ("cat", ""), "age": ("3", "7")}
    assert len(table) == 2 and table.name == "labels.csv"


def test_the_column_path_may_stand_anywhere(tmp_path):
    table = read(tmp_path, "label,path\ncat,1.png\n")
    assert table.paths == ("1.png",)
    assert table.columns == {"label": ("cat",)}


def test_without_a_column_path_the_first_one_has_the_paths(tmp_path):
    assert read(tmp_path, "file,label\n1.png,cat\n").paths == ("1.png",)


def test_files_of_spreadsheets_are_read(tmp_path):
    # Byte order mark, Windows line ends, quotes, blank lines, spaces.
    text = '\ufeffpath, label\r\n"a,1.png", "big cat"\r\n\r\n , \r\n'
    table = read(tmp_path, text)
    assert table.paths == ("a,1.png",)
    assert table.columns == {"label": ("big cat",)}
    table = read(tmp_path, "\ufeffpath;weight\r\n1.png;2,5\r\n")
    assert table.columns == {"weight": ("2,5",)}


def test_paths_as_windows_writes_them_fit(tmp_path):
    table = read(tmp_path, "path,label\na\\1.png,cat\n./b/2.png,dog\n")
    assert table.paths == ("a/1.png", "b/2.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("path,label\n", "has a header, but no rows"),
        ("path\n1.png\n", "needs a column of paths and one of labels"),
        ("path|label\n1.png|cat\n", r"separated by commas.*'path.label'"),
        ("path,a,a\n1.png,1,2\n", "every column needs a heading of its own"),
        ("path,a,\n1.png,1,2\n", "every column needs a heading of its own"),
        ("path,a\n1.png,1\n\n2.png\n", "line 4: 1 values under 2 headings"),
        ("path,a\n1.png,1,2\n", "line 2: 3 values under 2 headings"),
        ("path,a\n,1\n", "line 2: the path is empty"),
        ("path,a\n1.png,1\n2.png,1\n./1.png,2\n", "line 4.*already in line 2"),
        ("label,a\nyes,1\nyes,2\n", "no column 'path', so the first, 'label'"),
        ('path,a\n"1.png,1\n', "line 2: "),
    ],
)
def test_a_spoilt_file_is_an_error_that_names_the_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, text)
    assert "labels.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_utf8_or_not_there_is_an_error(tmp_path):
    path = write(tmp_path, "path,label\n1.png,Kätzchen\n", "latin-1")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        read_label_table(path)
    with pytest.raises(ValueError, match="there is no file of labels"):
        read_label_table(tmp_path / "missing.csv")


# ---- which images it belongs to --------------------------------------------

TABLE = LabelTable(
    ("a.png", "b.png", "c.png"), {"x": ("1", "2", "3"), "y": ("", "5", "")}
)


def test_aligned_follows_the_images():
    table = TABLE.aligned(("c.png", "a.png", "b.png"))
    assert table.paths == ("c.png", "a.png", "b.png")
    assert table.columns == {"x": ("3", "1", "2"), "y": ("", "", "5")}


def test_a_row_without_an_image_is_left_out_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING, "absl"):
        assert TABLE.aligned(("c.png", "a.png")).columns["x"] == ("3", "1")
    assert "1 of 3 rows of the label table have no file: 'b.png'" in (
        caplog.text
    )


def test_images_without_a_row_are_counted_and_the_first_named():
    paths = ("a.png", "e.png", "d.png", "f.png", "g.png")
    with pytest.raises(
        ValueError,
        match=r"4 of 5 files have no row .*'e.png', 'd.png', 'f.png', \.\.\.;",
    ):
        TABLE.aligned(paths)


def test_a_table_of_other_images_is_an_error_that_shows_both():
    with pytest.raises(ValueError, match=r"no row .*'a.png'.*'train/a.png'"):
        TABLE.aligned(("train/a.png", "train/b.png"))


def test_images_that_are_not_files_cannot_have_a_table():
    with pytest.raises(ValueError, match="do not come from a folder"):
        TABLE.aligned(())


@pytest.mark.parametrize("index", [[2, 0], [True, False, True]])
def test_subset_takes_rows_by_position_or_mask(index):
    part = TABLE.subset(np.array(index))
    expected = {(2, 0): ("3", "1"), (True, False, True): ("1", "3")}
    assert part.columns["x"] == expected[tuple(index)]
    assert len(part.paths) == len(part.columns["y"]) == 2


def test_columns_of_different_length_are_an_error():
    with pytest.raises(ValueError, match="1 in 'x' for 2 paths"):
        LabelTable(("a", "b"), {"x": ("1",)})


@pytest.mark.parametrize(
    "path",
    [
        "../b.png",
        "a/../../b.png",
        "/etc/passwd",
        "C:\\b.png",
        "..\\b.png",
        "..",
    ],
)
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, path):
    with pytest.raises(ValueError, match=r"line 3: .* leads out of the files"):
        read(tmp_path, f"path,label\na/b.png,cat\n{path},cat\n")


def test_names_are_compared_in_one_form_of_unicode(tmp_path):
    table = read(
        tmp_path, "path,re\u0301sume\u0301\ncafe\u0301.png,e\u0301t\u00e9\n"
    )
    for name in ("caf\u00e9.png", "cafe\u0301.png"):
        aligned = table.aligned([name])
        assert aligned.columns == {"r\u00e9sum\u00e9": ("\u00e9t\u00e9",)}


def test_a_table_may_cover_other_splits_as_well(tmp_path, caplog):
    for path in ("train/a.png", "train/b.png", "test/c.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    text = "path,x\ntest/c.png,3\ntrain/b.png,2\ntrain/a.png,1\n"
    table = read(tmp_path, text)
    folders = [tmp_path / "train", tmp_path]
    assert table.aligned(["a.png", "b.png"], folders).columns["x"] == ("1", "2")
    # Part of a split: the rest of it has images, too.
    assert table.aligned(["b.png"], folders).columns["x"] == ("2",)
    assert not caplog.text


def test_a_row_without_any_image_is_still_said(tmp_path, caplog):
    (tmp_path / "b.png").touch()
    table = read(tmp_path, "path,x\na.png,1\nb.png,2\ngone.png,3\n")
    table.aligned(["a.png"], [tmp_path])
    assert "1 of 3 rows of labels.csv have no file: 'gone.png'" in caplog.text


def test_names_of_a_message_are_printable(tmp_path):
    table = LabelTable(("a.png",), {"x": ("1",)})
    with pytest.raises(ValueError, match="no row") as raised:
        table.aligned(["\x1b[31m\n.png"])
    assert "\x1b" not in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong,message,right",
    [
        (
            "path,x\na.png,1\n",
            "add them, with empty",
            "path,x\na.png,1\nb.png,\n",
        ),
        (
            "path,x\na.png,1,5\nb.png,2\n",
            "needs quotes",
            'path,x\na.png,"1,5"\nb.png,2\n',
        ),
        (
            "path,x\n/f/a.png,1\nb.png,2\n",
            "relative to",
            "path,x\na.png,1\nb.png,2\n",
        ),
        (
            "path|x\na.png|1\n",
            "separated by commas",
            "path,x\na.png,1\nb.png,2\n",
        ),
    ],
)
def test_what_an_error_advises_works(tmp_path, wrong, message, right):
    paths = ["a.png", "b.png"]
    with pytest.raises(ValueError, match=message):
        read(tmp_path, wrong).aligned(paths)
    assert len(read(tmp_path, right).aligned(paths)) == 2


def test_a_table_of_another_encoding_works_when_saved_as_advised(tmp_path):
    text = "path,x\ncaf\u00e9.png,1\n"
    with pytest.raises(ValueError, match="save it as CSV UTF-8"):
        read_label_table(write(tmp_path, text, "latin-1"))
    assert read_label_table(write(tmp_path, text)).paths == ("caf\u00e9.png",)
