"""A folder of images to a CSV file."""

import contextlib
import io
import json
import shlex

import keras
import numpy as np
import pytest
from PIL import Image

from byol_tf.data.annotations.coco import read_coco
from byol_tf.modalities.image.decode import ImageError, decode_image
from byol_tf.modalities.image.inputs import png
from byol_tf.runs.artifact import Encoder
from byol_tf.runs.encoder import load_classifier
from byol_tf.runs.predictor import predict_folder
from byol_tf.tasks.cut_objects import CutObjects
from byol_tf.tasks.detection import Detection
from byol_tf.tasks.keypoints import Keypoints
from configs.door import check_classifier, check_encoder
from tests.support.encoders import SIZE, classifier, image_encoder
from tests.support.tables import rows_of


def save(folder, name, value, size=(SIZE, SIZE)):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (value,) * 3).save(path)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    save(folder, "night.png", 40)
    save(folder, "days/noon, summer.png", 240, (30, 20))
    (folder / "broken.jpg").write_bytes(b"no image")
    save(folder, "zenith.bmp", 255)
    return folder


def test_every_image_has_a_row_with_its_prediction_or_the_reason(
    folder, tmp_path
):
    done = predict_folder(classifier(), folder, tmp_path / "out.csv", 2)
    rows = {row["path"]: row for row in rows_of(tmp_path / "out.csv")}
    assert list(rows) == [
        "broken.jpg",
        "days/noon, summer.png",
        "night.png",
        "zenith.bmp",
    ]
    assert list(rows["night.png"]) == [
        *("path", "status", "label", "probability", "dark", "light")
    ]
    for path, value in (("days/noon, summer.png", 240), ("night.png", 40)):
        light = 1 / (1 + np.exp(-20 * (value / 255 - 0.5)))
        row = rows[path]
        assert row["status"] == "ok"
        assert row["label"] == ("light" if light > 0.5 else "dark")
        assert float(row["light"]) == pytest.approx(light, rel=1e-4)
        assert float(row["probability"]) == max(
            float(row["light"]), float(row["dark"])
        )
    assert "not an image" in rows["broken.jpg"]["status"]
    assert rows["broken.jpg"]["label"] == ""
    assert done.images == 4 and [p for p, _ in done.unread] == ["broken.jpg"]


def test_a_classifier_of_gray_images_takes_coloured_files(folder, tmp_path):
    predict_folder(classifier(channels=1), folder, tmp_path / "out.csv")
    rows = {row["path"]: row for row in rows_of(tmp_path / "out.csv")}
    assert rows["zenith.bmp"]["label"] == "light"


def pointing(place, **options):
    """A model that says the same place of every image."""
    inputs = keras.Input((SIZE, SIZE, 3))
    dense = keras.layers.Dense(2)
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, dense(pooled))
    dense.set_weights([np.zeros((3, 2)), np.array(place)])
    task = Keypoints(("tip_x", "tip_y"), **options)
    return image_encoder(model, SIZE, task=task)


def test_points_are_told_in_terms_of_the_whole_image(tmp_path):
    # A model that always says the centre's right edge, of a wide image.
    pose = pointing((1.0, 0.25))
    save(tmp_path, "wide.png", 100, (40, 20))
    predict_folder(pose, tmp_path, tmp_path / "out.csv")
    (row,) = rows_of(tmp_path / "out.csv")
    assert float(row["tip_x"]) == pytest.approx(0.75)
    assert float(row["tip_y"]) == pytest.approx(0.25)


def detector(confidence=0.3):
    """A model that finds an object in every bright cell."""
    inputs = keras.Input((SIZE, SIZE, 3))
    heat, distances = (keras.layers.Conv2D(n, 1) for n in (1, 4))
    outputs = {"heat": heat(inputs), "distances": distances(inputs)}
    heat.set_weights([np.ones((1, 1, 3, 1)), np.zeros(1)])
    task = Detection(("cat",), confidence=confidence)
    return image_encoder(keras.Model(inputs, outputs), SIZE, task=task)


def test_a_tile_is_read_as_its_file_would_be(tmp_path):
    deep = np.full((SIZE, SIZE), 100 * 257, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    scores = []
    for tiles in (None, (1, 1)):
        out = tmp_path / "out.csv"
        predict_folder(detector(0.0), tmp_path, out, tiles=tiles)
        scores.append(float(rows_of(out)[0]["score"]))
    right = 1 / (1 + np.exp(-3 * 100 / 255))
    np.testing.assert_allclose(scores, right, rtol=1e-5)


def test_tiles_are_predicted_in_batches(tmp_path, monkeypatch):
    sizes, batch = [], Encoder.batch

    def counted(self, rows):
        sizes.append(len(rows))
        return batch(self, rows)

    monkeypatch.setattr(Encoder, "batch", counted)
    save(tmp_path, "a.png", 100)
    out = tmp_path / "out.csv"
    predict_folder(detector(), tmp_path, out, batch_size=2, tiles=(2, 2))
    assert sizes == [2, 2, 1]


def two_objects(folder):
    """Two objects of a wide image as COCO lists them, and an empty image."""
    save(folder, "wide.png", 100, (80, 40))
    save(folder, "none.png", 100, (20, 20))
    images = [
        {"id": 7, "file_name": "wide.png", "width": 80, "height": 40},
        {"id": 9, "file_name": "none.png", "width": 20, "height": 20},
    ]
    boxes = [(8, 8, 16, 16), (48, 16, 24, 16)]
    annotations = [
        {
            **{"id": i, "image_id": 7, "category_id": 3, "bbox": box},
            **{"keypoints": [box[0], box[1], 2], "num_keypoints": 1},
            **{"area": box[2] * box[3], "iscrowd": 0},
        }
        for i, box in enumerate(boxes, 1)
    ]
    category = {"id": 3, "name": "bird", "keypoints": ["tip"]}
    file = folder / "test.json"
    file.write_text(
        json.dumps(
            {
                "images": images,
                "annotations": annotations,
                "categories": [category],
            }
        )
    )
    return file


def test_objects_of_a_coco_file_are_predicted_one_by_one(tmp_path):
    file = two_objects(tmp_path)
    pose = pointing((1.0, 0.25), whole=True)
    predict_folder(pose, file, tmp_path / "out.csv", drawings=tmp_path / "d")
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["label"], row["x0"]) for row in rows[:2]] == [
        ("bird", "8.0"),
        ("bird", "48.0"),
    ]
    # Of crops an eighth wider to every side, 6 to 26 and 45 to 75 by 14 to
    # 34, in squares of 20 and 30.
    places = [(float(r["tip_x"]), float(r["tip_y"])) for r in rows[:2]]
    np.testing.assert_allclose(
        np.array(places) * (80, 40), [(26, 11), (75, 21.5)], atol=1e-4
    )
    assert [row["path"] for row in rows[2:]] == ["none.png"]
    assert (tmp_path / "d" / "wide.png.png").is_file()


def test_points_of_objects_are_written_as_results_of_coco(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    file = two_objects(tmp_path)
    pose = pointing((0.5, 0.5), whole=True)
    predict_folder(pose, file, tmp_path / "out.json")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(str(file))
        found = truth.loadRes(str(tmp_path / "out.json"))
    loaded = found.loadAnns(found.getAnnIds(imgIds=[7]))
    assert [one["category_id"] for one in loaded] == [3, 3]
    points = [one["keypoints"] for one in loaded]
    np.testing.assert_allclose(points, [(16, 16, 1), (60, 29, 1)], atol=1e-4)
    assert not found.getAnnIds(imgIds=[9])


def test_points_of_a_folder_are_results_of_whole_images(tmp_path):
    save(tmp_path, "wide.png", 100, (80, 40))
    pose = pointing((0.5, 0.5), whole=True)
    predict_folder(pose, tmp_path, tmp_path / "out.json")
    (one,) = json.loads((tmp_path / "out.json").read_text())
    assert one["image_id"] == 1 and one["file_name"] == "wide.png"
    np.testing.assert_allclose(one["keypoints"], (40, 40, 1), atol=1e-4)


def test_an_object_has_the_values_of_its_image(tmp_path):
    file = two_objects(tmp_path)
    values = np.arange(40 * 80, dtype=np.uint16).reshape(40, 80, 1)
    for step in (1, 2):  # 2: a file that was made smaller
        objects, seen = CutObjects.of(read_coco(file), True), []
        data = png(values[::step, ::step])
        objects.parts("wide.png", data, seen.append, 80 * 40)
        wanted = values[6:26:step, 6:26:step]
        np.testing.assert_array_equal(decode_image(seen[0]), wanted)
    with pytest.raises(ImageError, match="more than the limit"):
        objects.parts("wide.png", png(values), seen.append, 80 * 40 - 1)


def test_a_saved_classifier_loads_as_it_was(tmp_path, folder):
    given = classifier()
    given.save(tmp_path, "classifier", seed=3)
    loaded = load_classifier(tmp_path, "classifier")
    assert loaded.task.columns == ("dark", "light")
    assert loaded.sizes["image_size"] == SIZE and loaded.about["seed"] == 3
    for name, one in (("a.csv", given), ("b.csv", loaded)):
        predict_folder(one, folder, tmp_path / name)
    assert rows_of(tmp_path / "a.csv") == rows_of(tmp_path / "b.csv")


def test_the_only_classifier_there_is_taken_whatever_its_name(tmp_path):
    classifier().save(tmp_path, "classifier_birds")
    assert load_classifier(tmp_path, "classifier").sizes["image_size"] == SIZE
    classifier().save(tmp_path, "classifier_cars")
    with pytest.raises(ValueError, match=r"classifier_birds.*choose by --task"):
        load_classifier(tmp_path, "classifier")


def test_prediction_before_fine_tuning_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no classifier.keras.*fine-tune"):
        load_classifier(tmp_path, "classifier")


@pytest.mark.parametrize("check", [check_classifier, check_encoder])
def test_the_command_that_is_advised_quotes_the_folder(tmp_path, check):
    workdir = str(tmp_path / "it's my run")
    with pytest.raises(ValueError) as raised:
        check(workdir)
    command = str(raised.value).split("byol_tf ")[-1].split(", or wait")[0]
    assert shlex.split(command)[-1] == workdir


def test_a_damaged_classifier_is_refused(tmp_path):
    classifier().save(tmp_path, "classifier")
    (tmp_path / "classifier.keras").write_bytes(b"PK")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_classifier(tmp_path, "classifier")


def test_folders_without_anything_to_predict_are_refused(tmp_path):
    target = tmp_path / "out.csv"
    with pytest.raises(ValueError, match="there is no file or folder"):
        predict_folder(classifier(), tmp_path / "nowhere", target)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no image in"):
        predict_folder(classifier(), empty, target)
    (empty / "bad.png").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"none of the 1 images.*bad.png"):
        predict_folder(classifier(), empty, target)
    assert not target.exists()


@pytest.mark.parametrize(
    "asked,reason",
    [({"drawings": "d"}, "no place to draw"), ({"tiles": (2, 2)}, "--tiles")],
)
def test_what_a_task_cannot_do_is_refused_before_files_are_read(asked, reason):
    with pytest.raises(ValueError, match=reason):
        predict_folder(classifier(), "nowhere", "out.csv", **asked)
    with pytest.raises(ValueError, match="rows of a CSV"):
        predict_folder(detector(), "nowhere", "out.json", drawings="d")


def test_more_than_three_channels_cannot_come_from_files(tmp_path):
    save(tmp_path, "a.png", 1)
    with pytest.raises(ValueError, match="cannot become 4"):
        predict_folder(classifier(channels=4), tmp_path, tmp_path / "o.csv")


def test_deep_files_and_many_bands_are_predicted_as_their_8_bits(tmp_path):
    gray = np.full((SIZE, SIZE), 150, np.uint8)
    Image.fromarray(gray).save(tmp_path / "8.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "16.png")
    np.save(tmp_path / "16.npy", gray.astype(np.uint16) * 257)
    np.save(tmp_path / "floats.npy", gray / np.float32(255))
    predict_folder(classifier(), tmp_path, tmp_path / "out.csv")
    rows = {row["path"]: row for row in rows_of(tmp_path / "out.csv")}
    assert "floats" in rows.pop("floats.npy")["status"]
    assert len(rows) == 3
    assert len({row["light"] for row in rows.values()}) == 1

    bands = tmp_path / "bands"
    bands.mkdir()
    np.save(bands / "a.npy", np.stack([gray] * 5, -1))
    predict_folder(classifier(channels=5), bands, tmp_path / "five.csv")
    (row,) = rows_of(tmp_path / "five.csv")
    light = float(rows["8.png"]["light"])
    assert row["status"] == "ok"
    assert float(row["light"]) == pytest.approx(light, rel=1e-5)
