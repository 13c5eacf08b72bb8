"""What `labels.csv` says of a folder: splits, labels, and what is left out."""

import pytest

from byol_tf.data.table_layout import find_split, listed_files
from configs import data_argument

WITH_SPLITS = (
    "path,label,coarse,split\n"
    "1.sig,gala,apple,train\n"
    "2.sig,fuji,apple,Train\n"
    "3.sig,beta,fig,train\n"
    "4.sig,gala,apple,TEST\n"
    "5.sig,,,\n"
)


def make(root, text, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "labels.csv").write_text(text)
    return root


def find(root, split="train", layout="auto", column=""):
    return find_split(root, split, (".sig",), "signal", layout, column)


@pytest.fixture(name="flat")
def _flat(tmp_path):
    """All files in one folder; their splits stand in the table."""
    return make(tmp_path, WITH_SPLITS, *(f"{n}.sig" for n in range(1, 7)))


def named_classes(found):
    return [found.class_names[label] for label in found.labels]


def test_a_column_says_which_split_a_file_in_one_folder_is(flat):
    assert find(flat).paths == ["1.sig", "2.sig", "3.sig"]
    assert find(flat, "testing").paths == ["4.sig"]
    assert named_classes(find(flat)) == ["gala", "fuji", "beta"]
    assert find(flat).class_names == find(flat, "test").class_names


def test_two_names_for_one_split_must_be_told_apart(flat):
    text = WITH_SPLITS.replace("Train\n", "dev\n").replace("TEST", "valid")
    make(flat, text)
    with pytest.raises(ValueError, match=r"several .*'val': 'dev', 'valid'"):
        find(flat, "val")
    assert find(flat, "dev").paths == ["2.sig"]


def test_what_is_left_out_is_counted_and_never_an_error(flat):
    (flat / "3.sig").unlink()
    found = find(flat)
    assert found.paths == ["1.sig", "2.sig"]
    assert found.left_out == {
        "rows of other splits": 1,
        "rows without a split": 1,
        "rows without a file": 1,
        "files without a row": 1,
        "files with .csv": 1,
    }
    assert "1 rows without a file" in found.line() and found.doubtful


def test_rows_of_the_other_split_are_no_reason_to_warn(tmp_path):
    text = "path,label,split\n1.sig,a,train\n2.sig,b,train\n3.sig,a,test\n"
    found = find(make(tmp_path, text, "1.sig", "2.sig", "3.sig"))
    assert not found.doubtful


def test_the_table_wins_over_folders_and_this_is_said(tmp_path):
    text = "path,label\nx/1.sig,b\ny/2.sig,a\n"
    found = find(make(tmp_path, text, "x/1.sig", "y/2.sig"))
    assert named_classes(found) == ["b", "a"]
    assert "the column 'label' of labels.csv, not of the folders" in (
        found.line()
    )
    assert found.doubtful
    folders = find(tmp_path, layout="classes")  # as the line advises
    assert named_classes(folders) == ["x", "y"]


@pytest.mark.parametrize("cased", ["train", "Train"])
def test_without_a_column_the_folders_of_splits_decide(tmp_path, cased):
    text = f"path,label\n{cased}/x/1.sig,b\n{cased}/x/2.sig,a\ntest/3.sig,a\n"
    paths = (f"{cased}/x/1.sig", f"{cased}/x/2.sig", "test/3.sig")
    make(tmp_path, text, *paths, "test/4.sig")
    assert find(tmp_path).paths == list(paths[:2])
    test = find(tmp_path, "test")
    assert test.paths == ["test/3.sig", "test/4.sig"]
    assert test.labels == [0, -1] and "no row of 1" in test.line()


def test_a_split_that_no_row_has_is_refused_with_names(flat):
    with pytest.raises(ValueError, match=r"no rows of the split 'val', but of"):
        find(flat, "val")


@pytest.mark.parametrize("column,names", [("", 3), ("coarse", 2)])
def test_the_column_of_the_labels_can_be_chosen(flat, column, names):
    assert len(find(flat, column=column).class_names) == names


def test_a_column_that_is_none_is_refused_with_those_that_are(flat):
    with pytest.raises(ValueError, match=r"label_column: 'coarse', 'label'$"):
        find(flat, column="fine")


def test_a_table_without_the_usual_column_gives_no_labels_and_says_so(tmp_path):
    text = "path,kind,age\n1.sig,a,3\n2.sig,b,4\n"
    found = find(make(tmp_path, text, "1.sig", "2.sig"))
    assert found.labels == [-1, -1] and not found.class_names
    assert "label_column takes 'age', 'kind'" in found.line()
    assert named_classes(find(tmp_path, column="kind")) == ["a", "b"]


def test_a_column_without_a_table_is_refused(tmp_path):
    (tmp_path / "1.sig").touch()
    with pytest.raises(ValueError, match=r"'kind' is a column of labels\.csv"):
        find(tmp_path, column="kind")


def test_a_table_that_is_asked_for_must_be_there(tmp_path):
    (tmp_path / "1.sig").touch()
    with pytest.raises(ValueError, match=r"layout=table needs labels\.csv"):
        find(tmp_path, layout="table")


@pytest.mark.parametrize(
    "text,message",
    [
        ("path,label\na,cat\nb,dog\n", r"no row of .* paths are like 'a', 'b'"),
        ("name\n1.sig\n", "needs a column of paths and one of labels"),
    ],
)
def test_a_table_of_something_else_is_refused_and_can_be_passed_over(
    tmp_path, text, message
):
    make(tmp_path, text, "1.sig")
    with pytest.raises(ValueError, match=message) as error:
        find(tmp_path)
    assert "ignore it by --config.data.layout=" in str(error.value)
    assert find(tmp_path, layout="flat").paths == ["1.sig"]


def test_names_that_look_equal_are_equal(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    text = f"path,label\n{composed}/1.sig,a\n{composed}/2.sig,b\n"
    make(tmp_path, text, f"{decomposed}/1.sig", f"{decomposed}/2.sig")
    assert len(find(tmp_path / "labels.csv").paths) == 2


# ---- the CSV file itself as data -------------------------------------------


def test_a_csv_file_means_its_rows_alone(tmp_path):
    text = "path,label\nx/1.sig,a\nx/2.sig,b\nx/gone.sig,b\n"
    make(tmp_path, text, "x/1.sig", "x/2.sig", "x/3.sig", "y/4.sig")
    found = find(tmp_path / "labels.csv")
    assert found.root == tmp_path
    assert found.paths == ["x/1.sig", "x/2.sig"]
    assert found.left_out["rows without a file"] == 1
    assert "files without a row" not in found.left_out


def test_the_files_of_all_splits_are_listed(flat, caplog):
    root, paths = listed_files(flat / "labels.csv", (".sig",), "signal")
    assert root == flat and len(paths) == 5
    (flat / "3.sig").unlink()
    listed_files(flat / "labels.csv", (".sig",), "signal")
    assert "1 of 5 rows" in caplog.text
    assert len(listed_files(flat, (".sig",), "signal")[1]) == 5


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match=r"a.png' is neither .* end with .sig"):
        listed_files(tmp_path / "a.png", (".sig",), "signal")


# ---- what the command line makes of it --------------------------------------


@pytest.mark.parametrize("name", ["", "labels.csv"])
def test_the_argument_takes_the_test_split_of_the_table(flat, name):
    words = data_argument.overrides(str(flat / name))
    assert "--config.data.test_split=TEST" in words
    assert "--config.data.label_column=" in words
    assert find(flat / name, "TEST").paths == ["4.sig"]


@pytest.mark.parametrize(
    "text,split",
    [
        ("path,label\ntrain/1.sig,a\nVal/2.sig,b\n", "Val"),
        ("path;label;split\n1.sig;a;train\n2.sig;b;Val\n", "Val"),
        ("path,label\n1.sig,a\n2.sig,b\n", ""),
        ("path,label,split\n1.sig,a,fold1\n2.sig,b,fold2\n", ""),
        ("", ""),
    ],
)
def test_the_argument_holds_out_where_no_row_is_of_a_test_split(
    tmp_path, text, split
):
    (tmp_path / "labels.csv").write_text(text)
    words = data_argument.overrides(str(tmp_path))
    assert f"--config.data.test_split={split}" in words


def test_the_argument_passes_over_the_table_where_folders_are_classes(flat):
    words = data_argument.overrides(str(flat), layout="flat")
    assert "--config.data.test_split=" in words
