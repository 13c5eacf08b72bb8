"""Bad images are listed in the run folder; too many of them stop the run."""

import os

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.bad_images import BadImages
from byol_tf.data.examples import Encoded, Examples
from byol_tf.files import read_json
from byol_tf.jobs.pretrain import build as builders
from configs import base
from tests.support import hostile
from tests.support.hostile import SIZE, encoded, fill, noise
from tests.support.scripts import assert_one_clear_line, run_script
from tests.support.tables import read_csv


def config_of(folder, **overrides):
    config = base.get_config()
    config.data.update(
        source="folder", dir=str(folder), image_size=SIZE, **overrides
    )
    return config


def spoil(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"bad{number}.jpg").write_bytes(hostile.HTML)


def test_bad_images_of_all_splits_are_listed_in_the_run_folder(tmp_path):
    for split in ("train", "test"):
        fill(tmp_path / "images" / split, 19)
        spoil(tmp_path / "images" / split, 1)
    run = tmp_path / "run"
    builders.data(config_of(tmp_path / "images"), run)
    header, *rows = read_csv(run / "bad_images.csv")
    assert header == ["path", "reason"]
    assert [path for path, _ in rows] == [
        str(tmp_path / "images" / split / "bad0.jpg")
        for split in ("train", "test")
    ]
    assert all("not an image" in reason for _, reason in rows)
    assert sorted(os.listdir(run)) == ["bad_images.csv", "data.json"]


def test_what_was_taken_is_said_and_written_to_the_run_folder(tmp_path, caplog):
    for path in ("train/cat", "train/dog", "train/@eaDir", "test/dog"):
        fill(tmp_path / "images" / path, 4)
    with caplog.at_level("INFO", "absl"):
        builders.data(config_of(tmp_path / "images"), tmp_path / "run")
    taken = read_json(tmp_path / "run" / "data.json")
    assert taken["train"]["classes"] == {"cat": 4, "dog": 4}
    assert taken["test"]["classes"] == {"cat": 0, "dog": 4}
    assert taken["train"]["layout"] == "splits"
    assert taken["train"]["left_out"] == {"folders @eaDir": 1}
    assert "(layout: splits; 4 cat, 4 dog); left out: 1 fold" in caplog.text


def test_the_layout_of_the_configuration_holds(tmp_path):
    for name in ("bus", "train"):
        fill(tmp_path / "images" / name, 8)
    for layout, count in (("auto", 16), ("splits", 8), ("flat", 16)):
        config = config_of(
            tmp_path / "images", test_split="", layout=layout, labels="auto"
        )
        train, test = builders.data(config, tmp_path / layout)
        assert train.num_examples + test.num_examples == count
        assert train.labelled == (layout == "auto")


@pytest.mark.parametrize("count", [3, 4, 10])
def test_a_small_folder_leaves_two_images_to_judge_by(tmp_path, count):
    fill(tmp_path / "images", count)
    config = config_of(tmp_path / "images", test_split="")
    if count == 3:
        with pytest.raises(ValueError, match=r"at least 2 examples.*add some"):
            builders.data(config, tmp_path / "run")
        return
    assert builders.data(config, tmp_path / "run")[1].num_examples == 2


def test_a_list_that_no_longer_holds_is_removed(tmp_path):
    fill(tmp_path / "images", 19)
    spoil(tmp_path / "images", 1)
    config = config_of(tmp_path / "images", test_split="")
    builders.data(config, tmp_path)
    assert (tmp_path / "bad_images.csv").exists()
    (tmp_path / "images" / "bad0.jpg").unlink()
    builders.data(config, tmp_path)
    assert not (tmp_path / "bad_images.csv").exists()


@pytest.mark.parametrize("bad,stops", [(2, False), (3, True)])
def test_too_many_bad_images_stop_the_run(tmp_path, bad, stops):
    fill(tmp_path / "images", 20 - bad)
    spoil(tmp_path / "images", bad)
    config = config_of(tmp_path / "images", test_split="", max_bad_share=0.1)
    if not stops:
        train, test = builders.data(config, tmp_path)
        assert train.num_examples + test.num_examples == 18
        return
    with pytest.raises(ValueError, match=r"3 of the 20 images in") as error:
        builders.data(config, tmp_path)
    message = str(error.value)
    assert "\n" not in message
    assert "data.max_bad_share=0.1" in message
    assert str(tmp_path / "bad_images.csv") in message
    assert len(read_csv(tmp_path / "bad_images.csv")) == 4


def test_the_list_is_there_even_if_no_image_can_be_read(tmp_path):
    spoil(tmp_path / "images", 2)
    config = config_of(tmp_path / "images", test_split="", max_bad_share=1.0)
    with pytest.raises(ValueError, match="none of the 2 images in"):
        builders.data(config, tmp_path)
    assert len(read_csv(tmp_path / "bad_images.csv")) == 3


def test_the_limit_of_pixels_is_that_of_the_configuration(tmp_path):
    fill(tmp_path / "images", 20)
    large = encoded(noise(40, 25), "PNG")  # 1000 pixels
    (tmp_path / "images" / "large.png").write_bytes(large)
    for megapixels, skipped in ((0.001, ()), (0.000999, ("large.png",))):
        config = config_of(
            tmp_path / "images", test_split="", max_megapixels=megapixels
        )
        train, _ = builders.data(config, tmp_path)
        assert tuple(path for path, _ in train.skipped) == skipped


@pytest.mark.slow
def test_rows_found_later_are_added_to_the_list(tmp_path):
    files = [tmp_path / f"{number}.jpg" for number in range(4)]
    spec = {"image": tf.TensorSpec([None, None, 3], tf.uint8)}
    labels = np.zeros(4, np.int32)
    examples = Examples(Encoded(files), labels, decode=bytes, spec=spec)
    BadImages(tmp_path / "bad.csv").add(examples)
    examples.rows.list_unreadable(0, "a")
    written = os.stat(tmp_path / "bad.csv").st_ino
    for row in (1, 2):
        examples.rows.list_unreadable(row, "b, c")
    assert os.stat(tmp_path / "bad.csv").st_ino == written
    _, *rows = read_csv(tmp_path / "bad.csv")
    assert rows == [
        [str(files[0]), "a"],
        *([str(f), "b, c"] for f in files[1:3]),
    ]


def test_a_training_on_too_many_bad_images_ends_with_one_line(tmp_path):
    fill(tmp_path / "images", 3)
    spoil(tmp_path / "images", 3)
    result = run_script(
        "train.py",
        "--config=configs/quickstart.py",
        f"--workdir={tmp_path / 'run'}",
        "--config.data.source=folder",
        f"--config.data.dir={tmp_path / 'images'}",
        "--config.data.image_size=8",
        "--config.data.test_split=",
    )
    assert_one_clear_line(result, "data.max_bad_share=0.1")
    assert len(read_csv(tmp_path / "run" / "bad_images.csv")) == 4
