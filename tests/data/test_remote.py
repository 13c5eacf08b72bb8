"""Folders behind an address, by the memory file system of fsspec."""

import io

import numpy as np
import pytest
from PIL import Image

from byol_tf.data import sources
from byol_tf.data.rows import Unreadable
from byol_tf.modalities.image.reading import image_decoder

fsspec = pytest.importorskip("fsspec")
FOLDER = "memory://photos"


@pytest.fixture(autouse=True)
def photos():
    """Two classes in two splits; a damaged photo among them."""
    system = fsspec.filesystem("memory")
    for number in range(8):
        split = "test" if number > 5 else "train"
        file = io.BytesIO()
        pixels = np.full((6 + number, 9, 3), 20 * number, np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        path = f"/photos/{split}/{'ab'[number % 2]}/{number}.png"
        system.pipe_file(path, file.getvalue())
    system.pipe_file("/photos/train/a/9.png", b"<html>")
    system.pipe_file("/photos/train/b/.hidden/1.png", b"<html>")
    yield system
    system.rm("/photos", recursive=True)


def load(decoder=None, **options):
    options = {"decoder": decoder or image_decoder(), **options}
    return sources.load("folder", directory=FOLDER, **options)


def test_files_are_found_and_read_when_they_are_needed():
    examples = load()
    assert examples.name == "photos" and examples.class_names == ("a", "b")
    assert examples.paths[:2] == ("a/0.png", "a/2.png")
    assert examples.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(
        examples.read(1)["image"], np.full((8, 9, 3), 40)
    )
    assert load(split="test").num_examples == 2


def test_the_training_folder_is_listed_once(photos, monkeypatch):
    listed, ls = [], type(photos).ls

    def listing(self, path, *rest, **options):
        listed.append(path)
        return ls(self, path, *rest, **options)

    monkeypatch.setattr(type(photos), "ls", listing)
    load()
    assert sum(path.endswith("train/a") for path in listed) == 1


def test_what_cannot_be_read_has_its_address(photos):
    examples = load()
    photos.rm("/photos/train/a/2.png")
    listed = []
    examples.rows.listen = lambda name, reason: listed.append(name)
    good = examples.readable()
    assert good.num_examples == 5
    address = "memory:///photos/train/a"  # as fsspec writes it
    assert listed == [f"{address}/{n}.png" for n in (2, 9)]
    with pytest.raises(Unreadable):
        examples.read(1)


def test_photos_of_one_size_are_decoded_once(photos, tmp_path):
    options = {"cache": "disk", "cache_dir": str(tmp_path)}
    for _ in range(2):
        examples = load(image_decoder(4), **options)
        assert examples.rows[:, 0, 0, 0].tolist() == [0, 40, 80, 20, 60, 100]
    assert examples.skipped[0][0] == "a/9.png"
    assert len(list(tmp_path.glob("*.npy"))) == 1


@pytest.mark.parametrize(
    "folder,message",
    [("memory://nowhere", "there is no folder"), ("cloud://x", "cloud")],
)
def test_an_address_of_nothing_is_one_line(folder, message):
    with pytest.raises(ValueError, match=message) as error:
        sources.load("folder", directory=folder, decoder=image_decoder())
    assert "\n" not in str(error.value)
