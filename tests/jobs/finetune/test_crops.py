"""Objects with points are cut out of their images by their boxes."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from byol_tf.data.annotations.coco_points import read_coco_points
from byol_tf.data.annotations.find import find_coco_points, find_test_split
from byol_tf.jobs.finetune import build
from byol_tf.jobs.finetune.crops import write_crops
from byol_tf.modalities.image.decode import decode_image
from byol_tf.modalities.image.inputs import png
from byol_tf.tasks.tiled import npy
from configs import base, objects
from tests.support.runs import make_run


def write(folder, **changed):
    (folder / "images").mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "images" / "a.png")
    common = {"image_id": 7, "category_id": 2, "iscrowd": 0}
    points = [12, 12, 2, 26, 20, 1, 0, 0, 0]
    first = {**common, "id": 4, "bbox": [10, 10, 16, 16], "keypoints": points}
    edge = {**first, "id": 5, "bbox": [50, 30, 10, 10], "area": 33}
    edge["keypoints"] = [58, 39, 2, 0, 0, 0, 0, 0, 0]
    none = {**first, "id": 6, "keypoints": [0] * 9, "num_keypoints": 0}
    crowd = {**first, "id": 8, "iscrowd": 1}
    kinds = [{"id": 2, "name": "mouse", "keypoints": ["a", "b", "c"]}]
    value = {
        "images": [{"id": 7, "file_name": "a.png"}],
        "categories": kinds,
        "annotations": [first, edge, none, crowd],
        **changed,
    }
    (folder / "train.json").write_text(json.dumps(value))
    return folder / "train.json"


def test_each_object_is_an_image_with_its_points(tmp_path, capsys):
    file = write(tmp_path)
    assert find_coco_points(tmp_path, "train") == file
    with open(write_crops(file, tmp_path / "to", "train", 10**6)) as table:
        first, edge = csv.DictReader(table)
    assert "train.json: 2 objects with points" in capsys.readouterr().out
    whole = np.asarray(Image.open(tmp_path / "images" / "a.png"))
    crop = np.asarray(Image.open(tmp_path / "to" / first["path"]))
    np.testing.assert_array_equal(crop, whole[8:28, 8:28])
    assert (float(first["a_x"]), float(first["b_x"])) == (0.2, 0.9)
    assert [first[f"{n}_v"] for n in "abc"] == ["2", "1", "0"]
    assert first["c_x"] == "" and first["object_area"] == "256.0"
    assert (edge["object_left"], edge["object_top"]) == ("48", "28")
    assert Image.open(tmp_path / "to" / edge["path"]).size == (12, 12)
    assert edge["object_area"] == "33.0"


def test_objects_without_a_usable_box_are_counted(tmp_path, capsys):
    file = write(tmp_path)
    value = json.loads(file.read_text())
    value["annotations"][0]["bbox"] = []
    file.write_text(json.dumps(value))
    write_crops(file, tmp_path / "to", "train", 10**6)
    assert "Left out: 1 objects" in capsys.readouterr().out


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_crops_keep_the_values_of_deep_images(tmp_path, dtype):
    kind = "png" if dtype == "uint16" else "npy"
    image = {"id": 7, "file_name": f"a.{kind}"}
    file = write(tmp_path, images=[image])
    values = np.arange(40 * 60, dtype=dtype).reshape(40, 60, 1)
    data = {"png": png, "npy": npy}[kind](values)
    (tmp_path / "images" / image["file_name"]).write_bytes(data)
    write_crops(file, tmp_path / "to", "train", 10**6)
    crop = decode_image(tmp_path / f"to/train/4.{kind}")
    np.testing.assert_array_equal(crop, values[8:28, 8:28])


@pytest.mark.parametrize("point", [[12, None, 2], [12, 12, None]])
def test_a_point_without_three_numbers_is_unlabelled(tmp_path, point):
    file = write(tmp_path)
    value = json.loads(file.read_text())
    value["annotations"][0]["keypoints"][:3] = point
    file.write_text(json.dumps(value))
    with open(write_crops(file, tmp_path / "to", "train", 10**6)) as table:
        row = next(csv.DictReader(table))
    assert [row[f"a_{k}"] for k in "xyv"] == ["", "", "0"]


def test_objects_of_a_file_that_was_resized_are_scaled(tmp_path):
    tables = []
    for factor in (1, 2):
        image = {"id": 7, "file_name": "a.png"}
        image |= {"width": 60 * factor, "height": 40 * factor}
        file = write(tmp_path, images=[image])
        value = json.loads(file.read_text())
        for entry in value["annotations"]:
            entry["bbox"] = [factor * side for side in entry["bbox"]]
            for i in (0, 1, 3, 4):
                entry["keypoints"][i] *= factor
            entry["area"] = 100 * factor**2
        file.write_text(json.dumps(value))
        table = write_crops(file, tmp_path / f"to{factor}", "train", 10**6)
        tables.append(table.read_text())
    assert tables[0] == tables[1]


def test_objects_of_images_that_exif_rotates_are_left_out(tmp_path, capsys):
    image = {"id": 7, "file_name": "a.png", "width": 40, "height": 60}
    with pytest.raises(ValueError, match=r"no object of .* lies in an"):
        write_crops(
            write(tmp_path, images=[image]), tmp_path / "to", "train", 10**6
        )
    assert "objects of a.png, which EXIF rotates" in capsys.readouterr().out


def test_objects_of_images_that_are_too_large_are_left_out(tmp_path, capsys):
    with pytest.raises(ValueError, match="no object"):
        write_crops(write(tmp_path), tmp_path / "to", "train", 60 * 40 - 1)
    assert "60x40 pixels are more than the limit" in capsys.readouterr().out


def test_files_without_points_are_not_taken(tmp_path):
    write(tmp_path, categories=[{"id": 2, "name": "mouse"}])
    assert find_coco_points(tmp_path, "train") is None
    assert find_coco_points(tmp_path, "test") is None
    file = write(tmp_path, annotations=[])
    with pytest.raises(ValueError, match="no object with labelled points"):
        read_coco_points(file)


def test_objects_of_earlier_data_are_no_test_split(tmp_path):
    run = base.get_config()
    run.data.source, run.data.test_split = "folder", ""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        file = write(tmp_path / name)
        if name == "one":
            shutil.copy(file, file.with_name("test.json"))
        run.data.dir = str(tmp_path / name)
        build._use_objects(objects.get_config(), run, tmp_path / "run")
        found = find_test_split(run.data.dir, (".png",))
        assert found == ("test" if name == "one" else "")


def test_an_id_that_two_objects_have_is_an_error(tmp_path):
    file = write(tmp_path)
    file.write_text(file.read_text().replace('"id": 5', '"id": 4'))
    with pytest.raises(ValueError, match="4 is listed more than once; annot"):
        read_coco_points(file)


def test_keypoints_learn_from_the_cut_objects(tmp_path):
    common = {"image_id": 7, "category_id": 2, "bbox": [10, 10, 20, 20]}
    points = [12, 12, 2, 26, 20, 1, 20, 20, 2]
    write(
        tmp_path,
        annotations=[
            {**common, "id": number, "keypoints": points}
            for number in range(1, 6)
        ],
    )
    (tmp_path / "run").mkdir()
    options = {"encoder.blocks": (1, 1, 1), "encoder.widths": (8, 8, 8)}
    options["encoder.stem"] = "strided"
    run = make_run(tmp_path / "run", size=24, **options)
    config = objects.get_config()
    config.size, config.data.source = 48, "folder"
    config.data.dir = str(tmp_path)
    job = build.fine_tuning(
        config, run, base.get_config(), task="keypoints", labels=("all",)
    )
    assert job.task.names == ("a", "b", "c")
    assert job.train.examples.row_shape == (48, 48, 3)
    assert len(job.train.table) == 5 and job.task.whole_images
