"""A folder of images to a CSV file."""

import shlex

import keras
import numpy as np
import pytest
from PIL import Image

from byol_tf.runs.encoder import load_classifier
from byol_tf.runs.predictor import predict_folder
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


def test_points_are_told_in_terms_of_the_whole_image(tmp_path):
    # A model that always says the centre's right edge, of a wide image.
    inputs = keras.Input((SIZE, SIZE, 3))
    dense = keras.layers.Dense(2)
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, dense(pooled))
    dense.set_weights([np.zeros((3, 2)), np.array([1.0, 0.25])])
    pose = image_encoder(model, SIZE, task=Keypoints(("tip_x", "tip_y")))
    save(tmp_path, "wide.png", 100, (40, 20))
    predict_folder(pose, tmp_path, tmp_path / "out.csv")
    (row,) = rows_of(tmp_path / "out.csv")
    assert float(row["tip_x"]) == pytest.approx(0.75)
    assert float(row["tip_y"]) == pytest.approx(0.25)


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
    with pytest.raises(ValueError, match="there is no folder"):
        predict_folder(classifier(), tmp_path / "nowhere", target)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no image in"):
        predict_folder(classifier(), empty, target)
    (empty / "bad.png").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"none of the 1 images.*bad.png"):
        predict_folder(classifier(), empty, target)
    assert not target.exists()


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
