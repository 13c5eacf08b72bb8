"""One scene in every format gives the same boxes."""

import json
import pathlib
import unicodedata

import numpy as np
import pytest
from PIL import Image

from byol_tf.data.annotations.find import (
    find_boxes,
    find_points,
    find_test_split,
    listed_images,
)

EXTENSIONS = (".png", ".jpg")
SIZE = (40, 20)
# By image: class and corners.
SCENE = {
    "a": [("cat", (1, 2, 11, 12)), ("dog", (20, 5, 40, 20))],
    "b": [],
    "c": [("dog", (5, 5, 15, 15))],
}


def write_images(folder, names=SCENE):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", SIZE).save(folder / f"{name}.png")


def coco(folder, file="train.json", prefix="", images="images"):
    write_images(folder / images)
    categories = [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}]
    ids = {entry["name"]: entry["id"] for entry in categories}
    value = {"categories": categories, "images": [], "annotations": []}
    for i, (name, boxes) in enumerate(SCENE.items()):
        about = {"id": 10 * i, "file_name": f"{prefix}{name}.png"}
        about |= dict(zip(("width", "height"), SIZE, strict=True))
        value["images"].append(about)
        for label, (x0, y0, x1, y1) in boxes:
            value["annotations"].append(
                {
                    "image_id": 10 * i,
                    "category_id": ids[label],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                }
            )
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(value))


def coco_with_folders(folder):
    coco(folder, prefix="images/")


def coco_of_its_authors(folder):
    coco(folder, "annotations/instances_train2017.json")


def coco_as_downloaded(folder):
    file = "annotations/instances_train2017.json"
    coco(folder, file, images="train2017")


def coco_with_splits(folder):
    coco(folder, images="images/train")


def coco_of_windows(folder):
    coco(folder, prefix="images\\")


def coco_of_roboflow(folder):
    coco(folder, "train/_annotations.coco.json", images="train")


def yolo(folder, images="images/train", about="names: [cat, dog]"):
    write_images(folder / images)
    labels = folder / images.replace("images", "labels")
    labels.mkdir(parents=True)
    for name, boxes in SCENE.items():
        lines = []
        for label, (x0, y0, x1, y1) in boxes:
            values = [(x0 + x1) / 80, (y0 + y1) / 40]
            values += [(x1 - x0) / 40, (y1 - y0) / 20]
            number = ["cat", "dog"].index(label)
            lines.append(" ".join(map(str, [number, *values])))
        if name != "b":
            (labels / f"{name}.txt").write_text("\n".join(lines) + "\n\n")
    (folder / "data.yaml").write_text(about)


def yolo_of_roboflow(folder):
    yolo(
        folder,
        "train/images",
        "train: ../train/images\nnames:\n  0: cat\n  1: dog\n",
    )


def voc(folder):
    write_images(folder / "JPEGImages")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "train.txt").write_text("a\nb\nc\n")
    (folder / "Annotations").mkdir()
    for name, boxes in SCENE.items():
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x0 + 1}</xmin>"
            f"<ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
            "</bndbox></object>"
            for label, (x0, y0, x1, y1) in boxes
        )
        size = "<size><width>40</width><height>20</height></size>"
        text = f"<annotation>{size}{objects}</annotation>"
        (folder / "Annotations" / f"{name}.xml").write_text(text)


@pytest.mark.parametrize(
    "write",
    [
        *(coco, coco_with_folders, coco_with_splits, coco_of_windows),
        *(coco_of_its_authors, coco_as_downloaded, coco_of_roboflow),
        *(yolo, yolo_of_roboflow, voc),
    ],
)
def test_every_format_gives_the_same_boxes(tmp_path, write):
    write(tmp_path)
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    scale = np.tile(SIZE, 2) if listed.relative else 1
    found = {path.split("/")[-1][0]: [] for path in listed.paths}
    for box in listed.boxes:
        name = listed.paths[box.image].split("/")[-1][0]
        corners = tuple(np.round(np.array(box.corners) * scale, 6))
        found[name].append((listed.names[box.label], corners))
    assert found == SCENE
    root, paths = listed_images(tmp_path, "train", EXTENSIONS)
    assert all((root / path).is_file() for path in paths)
    assert find_boxes(tmp_path, "test", EXTENSIONS) is None


def test_ids_of_coco_are_kept(tmp_path):
    coco(tmp_path)
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert list(listed.names) == ["cat", "dog"] and listed.ids == [2, 7]
    assert listed.image_ids == {"a.png": 0, "b.png": 10, "c.png": 20}


def edited(folder, **changed):
    """Writes a scene whose first annotation has other values."""
    coco(folder)
    value = json.loads((folder / "train.json").read_text())
    value["annotations"][0] |= changed
    (folder / "train.json").write_text(json.dumps(value))
    return find_boxes(folder, "train", EXTENSIONS)()


@pytest.mark.parametrize("box", [None, [], [1, 2, 3], [1, None, 3, 4]])
def test_a_box_of_coco_without_four_numbers_is_a_bad_box(tmp_path, box):
    listed = edited(tmp_path, bbox=box)
    assert np.isnan(listed.boxes[0].corners).all() and len(listed.boxes) == 3


@pytest.mark.parametrize("area", ["", "large", -3, float("nan"), [7]])
def test_an_area_of_coco_that_is_no_number_is_that_of_the_box(tmp_path, area):
    assert edited(tmp_path, area=area).boxes[0].area is None
    assert edited(tmp_path, area=7.5).boxes[0].area == 7.5


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("said", ["NFC", "NFD"])
def test_images_of_coco_are_found_however_accents_are_written(
    tmp_path, form, said
):
    coco(tmp_path)
    write_images(tmp_path / "images", [unicodedata.normalize(form, "\u00e9")])
    file = tmp_path / "train.json"
    name = json.dumps(unicodedata.normalize(said, "\u00e9.png"))
    file.write_text(file.read_text().replace('"a.png"', name))
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert all((listed.root / path).is_file() for path in listed.paths)


def test_an_image_that_coco_lists_twice_is_an_error(tmp_path):
    coco(tmp_path)
    file = tmp_path / "train.json"
    file.write_text(file.read_text().replace('"b.png"', '"a.png"'))
    with pytest.raises(ValueError, match=r"'a\.png' is listed more than once"):
        find_boxes(tmp_path, "train", EXTENSIONS)()


@pytest.mark.parametrize(("was", "now"), [('"id": 10', 0), ('"id": 2', 7)])
def test_an_id_that_coco_gives_twice_is_an_error(tmp_path, was, now):
    coco(tmp_path)
    file = tmp_path / "train.json"
    file.write_text(file.read_text().replace(f"{was},", f'"id": {now},'))
    with pytest.raises(ValueError, match=f"loaded: {now} is listed more than"):
        find_boxes(tmp_path, "train", EXTENSIONS)()


def test_annotations_of_coco_without_an_image_are_counted(tmp_path):
    listed = edited(tmp_path, image_id="0")
    assert len(listed.boxes) == 2
    assert listed.notes[0].startswith("Left out: 1 annotations with an image")


def test_bad_objects_of_voc_are_bad_boxes(tmp_path):
    voc(tmp_path)
    file = tmp_path / "Annotations" / "c.xml"
    file.write_text("<a><object><name>cat</name></object><object/></a>")
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert [box.label for box in listed.boxes] == [0, 1, 0, -1]
    assert np.isnan([box.corners for box in listed.boxes[2:]]).all()
    assert "count pixels from 1" in listed.notes[0]


def test_labels_of_yolo_may_begin_with_a_mark_or_have_no_class(tmp_path):
    yolo(tmp_path)
    lines = "\ufeff1 0.5 0.5 0.1 0.1\nnan 0.5 0.5 0.1 0.1\n2 .5 .5 .1 .1\n"
    (tmp_path / "labels/train/c.txt").write_text(lines, "utf-8")
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert [box.label for box in listed.boxes[2:]] == [1, -1, -1]


@pytest.mark.parametrize("names", ["{1: dog, 3: cat}", "['', dog, '', cat]"])
def test_numbers_of_yolos_classes_may_have_gaps(tmp_path, names):
    yolo(tmp_path, about=f"names: {names}")
    (tmp_path / "labels/train/c.txt").write_text(
        "".join(f"{number} .5 .5 .1 .1\n" for number in (1, 2, 3))
    )
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert listed.names == ["dog", "cat"]
    assert [box.label for box in listed.boxes[2:]] == [0, -1, 1]


def test_a_missing_label_file_is_a_negative_and_said(tmp_path):
    yolo(tmp_path)
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert len(listed.paths) == 3
    assert listed.notes[0].startswith("1 of 3 images have no label file")


def test_voc_says_that_it_counts_from_one_by_all_of_its_splits(tmp_path):
    voc(tmp_path)  # only the box of "a" ends at a border
    (tmp_path / "ImageSets/Main/test.txt").write_text("c\n")
    for split, corners in (("train", (1, 2, 11, 12)), ("test", (5, 5, 15, 15))):
        listed = find_boxes(tmp_path, split, EXTENSIONS)()
        assert "count pixels from 1" in listed.notes[0]
        assert listed.boxes[0].corners == corners


def test_names_of_images_of_voc_may_have_spaces(tmp_path):
    voc(tmp_path)
    (tmp_path / "JPEGImages/a.png").rename(tmp_path / "JPEGImages/a 1.png")
    (tmp_path / "ImageSets/Main/train.txt").write_text("a 1\nb  1\n")
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert listed.paths == ["JPEGImages/a 1.png", "JPEGImages/b.png"]


@pytest.mark.parametrize("write", [yolo, voc])
def test_lists_may_have_marks_and_spaces_and_name_an_image_twice(
    tmp_path, write
):
    front = "images/train/{}.png" if write is yolo else "{}"
    write(tmp_path)
    lines = "\ufeff" + "\n".join([*map(front.format, "bac"), f"{front} \n"])
    file = tmp_path / "ImageSets/Main/train.txt"
    if write is yolo:
        file = tmp_path / "some.txt"
        about = "train: some.txt\nnames: [cat, dog]"
        (tmp_path / "data.yaml").write_text(about)
    file.write_text(lines.format("b"), "utf-8")
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert [pathlib.Path(path).stem for path in listed.paths] == [*"bac"]
    assert [box.image for box in listed.boxes] == [1, 1, 2]
    file.write_bytes("\xe9\n".encode("latin-1"))
    with pytest.raises(ValueError, match=rf"{file.name} cannot be loaded"):
        find_boxes(tmp_path, "train", EXTENSIONS)()


def test_voc_without_images_is_an_error(tmp_path):
    voc(tmp_path)
    (tmp_path / "JPEGImages").rename(tmp_path / "images")
    with pytest.raises(ValueError, match="no folder JPEGImages for train"):
        find_boxes(tmp_path, "train", EXTENSIONS)()


def test_polygons_of_yolo_become_boxes(tmp_path):
    yolo(tmp_path)
    file = tmp_path / "labels/train/c.txt"
    file.write_text("1 0.1 0.2 0.5 0.2 0.5 0.8 0.3 0.9\n")
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert listed.boxes[-1].corners == (0.1, 0.2, 0.5, 0.9)


def test_points_behind_the_boxes_of_yolo_are_left_out(tmp_path):
    yolo(tmp_path, about="names: [cat, dog]\nkpt_shape: [2, 2]")
    file = tmp_path / "labels/train/c.txt"
    file.write_text("1 0.5 0.5 0.2 0.4 0.4 0.5 0.9 0.9\n")
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert listed.boxes[-1].corners == (0.4, 0.3, 0.6, 0.7)


@pytest.mark.parametrize("text", ["cat 0.1 0.2 0.3 0.4", "1 0.1 0.2"])
def test_a_line_that_cannot_be_read_is_a_bad_box_and_named(tmp_path, text):
    yolo(tmp_path)
    (tmp_path / "labels/train/c.txt").write_text(text)
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert np.isnan(listed.boxes[-1].corners).all()
    assert listed.paths[listed.boxes[-1].image] == "c.png"
    assert "c.txt, line 1: " + repr(text) in listed.notes[-1]


def test_label_files_that_cannot_be_read_leave_their_image_unknown(tmp_path):
    yolo(tmp_path / "yolo")
    (tmp_path / "yolo/labels/train/a.txt").write_bytes(b"\xff\xfe\x00")
    listed = find_boxes(tmp_path / "yolo", "train", EXTENSIONS)()
    assert listed.damaged == ["a.png"]
    voc(tmp_path / "voc")
    for text in ("<annotation><obj", '<?xml version="1.0" encoding="x"?><a/>'):
        (tmp_path / "voc/Annotations/a.xml").write_text(text)
        listed = find_boxes(tmp_path / "voc", "train", EXTENSIONS)()
        assert listed.damaged == ["JPEGImages/a.png"]
    (tmp_path / "voc/Annotations/c.xml").write_text("")  # a negative
    listed = find_boxes(tmp_path / "voc", "train", EXTENSIONS)()
    assert listed.damaged == ["JPEGImages/a.png"] and not listed.boxes
    assert not any(box.image == 0 for box in listed.boxes)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("nc: 2", "no names of classes"),
        ("names: cat", "no names of classes"),
        ("{names: [cat], train: [a, b]}", "several folders as 'train'.*'a'"),
        ("names: {a: cat}", "classes must have numbers. Received: 'a'"),
    ],
)
def test_yolo_without_names_or_one_folder_is_an_error(tmp_path, about, message):
    yolo(tmp_path, about=about)
    with pytest.raises(ValueError, match=message):
        find_boxes(tmp_path, "train", EXTENSIONS)()


def test_a_damaged_file_is_an_error_of_one_line(tmp_path):
    coco(tmp_path)
    (tmp_path / "train.json").write_text('{"images": []}')
    with pytest.raises(ValueError, match=r"loaded: it has no 'categories'"):
        find_boxes(tmp_path, "train", EXTENSIONS)()


def test_tables_of_points_list_images_too(tmp_path):
    (tmp_path / "train.csv").write_text("path,a_x,a_y\nimages/a.png,0,1\n")
    (tmp_path / "val.csv").write_text("path,a_x,a_y\nimages/b.png,0,1\n")
    assert find_points(tmp_path, "train") == tmp_path / "train.csv"
    assert find_points(tmp_path, "test") is None
    assert find_test_split(tmp_path, EXTENSIONS) == "validation"
    assert listed_images(tmp_path, "train", EXTENSIONS)[1] == ["images/a.png"]
    with pytest.raises(ValueError, match="no annotations for the split 'x'"):
        listed_images(tmp_path, "x", EXTENSIONS)


def test_without_lists_all_images_of_voc_are_for_training(tmp_path):
    write_images(tmp_path / "JPEGImages")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "c.xml").write_text(
        "<a><object><name>dog</name><bndbox><xmin>0</xmin><ymin>1</ymin>"
        "<xmax>9</xmax><ymax>8</ymax></bndbox></object></a>"
    )
    listed = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert listed.paths == [f"JPEGImages/{name}.png" for name in "abc"]
    assert [(box.image, box.corners) for box in listed.boxes] == [
        (2, (0, 1, 9, 8))
    ]
    assert find_test_split(tmp_path, EXTENSIONS) == ""


def test_a_text_file_lists_the_images_of_a_split_of_yolo(tmp_path):
    yolo(tmp_path, about="names: [cat, dog]\ntrain: some.txt")
    listed = "./images/train/c.png\n\nimages/train/a.png\n"
    (tmp_path / "some.txt").write_text(listed)
    found = find_boxes(tmp_path, "train", EXTENSIONS)()
    assert found.paths == ["images/train/c.png", "images/train/a.png"]
    assert [(box.image, box.label) for box in found.boxes] == [
        *((0, 1), (1, 0), (1, 1))
    ]
    assert found.root == tmp_path
