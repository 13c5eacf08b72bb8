"""What is taken of a folder: splits, classes, files, and what is said of it."""

import json
import os

import pytest

from byol_tf.data.layout import find_layout
from byol_tf.data.walk import find_files


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def find(root, split="train", layout="auto"):
    return find_layout(root, split, (".sig",), "signal", layout)


def of_class(found):
    return found.about()["classes"]


# ---- splits ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["train", "test", "dev", "Validation"])
def test_a_class_called_like_a_split_is_a_class_beside_others(
    tmp_path, name, caplog
):
    make(tmp_path, "bicycle/1.sig", "bus/1.sig", "bus/2.sig", f"{name}/1.sig")
    found = find(tmp_path)
    assert of_class(found) == {"bicycle": 1, "bus": 2, name: 1}
    assert f"'{name}' are taken for classes, since 'bicycle'" in caplog.text
    assert "--config.data.layout=splits" in caplog.text


@pytest.mark.parametrize(
    "folder,split",
    [
        ("train", "train"),
        ("Train", "train"),
        ("TRAINING", "train"),
        ("training", "Train"),
        ("Testing", "test"),
        ("valid", "val"),
        ("dev", "validation"),
    ],
)
def test_a_split_is_found_under_its_usual_names_in_any_case(
    tmp_path, folder, split
):
    other = "test" if split.lower() == "train" else "train"
    make(tmp_path, f"{folder}/1.sig", f"{other}/2.sig", f"{other}/3.sig")
    found = find(tmp_path, split)
    assert found.root == tmp_path / folder and found.paths == ["1.sig"]
    assert found.kind == "splits"


@pytest.mark.parametrize("only", ["test", "val", "Testing"])
def test_a_test_split_alone_is_never_trained_on(tmp_path, only):
    make(tmp_path, f"{only}/1.sig", "loose.sig")
    with pytest.raises(ValueError, match=f"no sub-folder 'train'.*'{only}'"):
        find(tmp_path)
    assert len(find(tmp_path, only).paths) == 1


def test_the_advice_of_a_missing_split_works(tmp_path):
    make(tmp_path, "train/1.sig", "val/2.sig")
    with pytest.raises(ValueError, match=r"'val'; .*data\.test_split.*layout"):
        find(tmp_path, "test")
    assert find(tmp_path, "val").paths == ["2.sig"]
    assert len(find(tmp_path, layout="flat").paths) == 2
    assert of_class(find(tmp_path, layout="classes")) == {"train": 1, "val": 1}


def test_two_folders_for_one_split_must_be_told_apart(tmp_path):
    make(tmp_path, "val/1.sig", "dev/2.sig", "train/3.sig")
    with pytest.raises(ValueError, match=r"several.*'dev', 'val'; name one"):
        find(tmp_path, "validation")
    assert find(tmp_path, "dev").paths == ["2.sig"]


def test_folders_without_files_of_the_kind_are_no_siblings(tmp_path):
    make(tmp_path, "train/a/1.sig", "test/a/2.sig", "annotations/1.json")
    assert find(tmp_path, "test").paths == ["a/2.sig"]


def test_a_split_of_a_name_of_ones_own_is_taken_when_asked_for(tmp_path):
    make(tmp_path, "train2017/1.sig", "val2017/2.sig")
    assert find(tmp_path, "val2017").paths == ["2.sig"]


def test_files_beside_the_splits_are_left_out_and_said(tmp_path):
    make(tmp_path, "train/1.sig", "test/2.sig", "cover.sig")
    found = find(tmp_path)
    assert found.paths == ["1.sig"]
    assert "1 files beside the splits" in found.line()


@pytest.mark.parametrize(
    "layout,paths",
    [
        ("splits", ["a/1.sig", "b/1.sig"]),
        ("classes", ["extra/1.sig", "train/a/1.sig", "train/b/1.sig"]),
        ("flat", ["extra/1.sig", "train/a/1.sig", "train/b/1.sig"]),
    ],
)
def test_the_layout_can_be_given(tmp_path, layout, paths):
    make(tmp_path, "train/a/1.sig", "train/b/1.sig", "extra/1.sig")
    found = find(tmp_path, layout=layout)
    assert found.paths == paths
    names = {"splits": ("a", "b"), "classes": ("extra", "train"), "flat": ()}
    assert found.class_names == names[layout]


def test_a_layout_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`layout` must be one of auto"):
        find(tmp_path, layout="tree")


def test_classes_that_are_none_are_refused_with_advice(tmp_path):
    make(tmp_path, "photos/1.sig")
    with pytest.raises(ValueError, match=r"data\.layout=flat"):
        find(tmp_path, layout="classes")
    assert find(tmp_path, layout="flat").paths == ["photos/1.sig"]


# ---- classes ---------------------------------------------------------------


def test_a_stray_file_beside_the_classes_is_left_out_and_said(tmp_path):
    make(tmp_path, "cat/1.sig", "cat/2.sig", "dog/1.sig", "stray.sig")
    found = find(tmp_path)
    assert of_class(found) == {"cat": 2, "dog": 1}
    assert found.paths == ["cat/1.sig", "cat/2.sig", "dog/1.sig"]
    assert found.left_out == {"files beside the folders of classes": 1}
    assert found.doubtful


def test_names_are_compared_in_one_form_of_unicode(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    make(tmp_path, f"train/{composed}/1.sig", "train/tea/1.sig")
    make(tmp_path, f"test/{decomposed}/1.sig", "test/tea/1.sig")
    train, test = find(tmp_path), find(tmp_path, "test")
    assert train.class_names == test.class_names == (composed, "tea")
    assert test.paths[0] == f"{decomposed}/1.sig"  # as on the disk


def test_a_split_is_found_in_either_form_of_unicode(tmp_path):
    make(tmp_path, "e\u0301te\u0301/1.sig", "hiver/1.sig")
    assert find(tmp_path, "\u00e9t\u00e9", "splits").paths == ["1.sig"]


def test_names_of_classes_are_printable(tmp_path):
    make(tmp_path, "a\n\x1b[31m/1.sig", "b/1.sig")
    assert find(tmp_path).class_names == ("a\\n\\x1b[31m", "b")
    assert "\x1b" not in find(tmp_path).line()


# ---- what is left out ---------------------------------------------------


@pytest.mark.parametrize(
    "folder",
    [
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "lost+found",
        "__MACOSX",
        ".thumbnails",
        ".git",
        "@Recycle",
        "RECYCLER",
        "found.000",
    ],
)
def test_folders_of_systems_are_left_out_and_said(tmp_path, folder):
    make(tmp_path, "cat/1.sig", "dog/1.sig", f"cat/{folder}/1.sig/thumb.sig")
    make(tmp_path, f"{folder}/old.sig")
    found = find(tmp_path)
    assert of_class(found) == {"cat": 1, "dog": 1}
    assert f"2 folders {folder}" in found.line()
    assert find_files(tmp_path, (".sig",), "signal") == found.paths


def test_only_a_link_to_a_folder_above_closes_a_loop(tmp_path):
    make(tmp_path, "ant/1.sig", "bus/1.sig", "cat/1.sig", "cat/2.sig")
    os.symlink("../cat", tmp_path / "ant" / "extra")
    os.symlink("../../bus", tmp_path / "cat" / "more")  # leads nowhere
    os.symlink("..", tmp_path / "bus" / "loop")
    os.symlink(".", tmp_path / "bus" / "self")
    os.symlink("round", tmp_path / "bus" / "round")
    found = find(tmp_path)
    assert of_class(found) == {"ant": 3, "bus": 1, "cat": 2}
    assert found.left_out["links to a folder above"] == 2


def test_folders_that_link_to_each_other_are_walked_once_each(tmp_path):
    make(tmp_path, "a/1.sig", "b/2.sig")
    os.symlink("../b", tmp_path / "a" / "b")
    os.symlink("../a", tmp_path / "b" / "a")
    paths = find(tmp_path).paths
    assert paths == ["a/1.sig", "a/b/2.sig", "b/2.sig", "b/a/1.sig"]


def test_a_run_folder_among_the_files_is_left_out(tmp_path):
    make(tmp_path, "1.sig", "a/run/views.sig", "a/run/cache/2.sig")
    assert len(find(tmp_path).paths) == 3
    make(tmp_path, "a/run/config.yaml", "a/run/metrics.jsonl")
    found = find(tmp_path)
    assert found.paths == ["1.sig"] and found.left_out == {"run folders": 1}


def test_labels_and_notes_are_not_counted_as_left_out(tmp_path):
    make(tmp_path, "1.sig", "labels.csv", "labels.json", "README.md", "2.raw")
    assert find(tmp_path).about()["left_out"] == {"files with .raw": 1}
    assert not find(tmp_path).doubtful


@pytest.mark.parametrize(
    "name", ["a[1]", "b*?", "c 'd\"", "e\nf", "{x,y}", "~", "$HOME", b"\xff"]
)
def test_names_that_mean_something_elsewhere_are_just_names(tmp_path, name):
    folder = os.path.join(tmp_path, os.fsdecode(name))
    os.mkdir(folder)
    for split in ("train", "test"):
        os.makedirs(os.path.join(folder, split, os.fsdecode(name)))
        open(
            os.path.join(folder, split, os.fsdecode(name), "1.sig"), "w"
        ).close()
    found = find(folder, "test")
    assert found.paths == [f"{os.fsdecode(name)}/1.sig"]
    assert "\n" not in found.line()
    json.dumps(found.about()).encode()
