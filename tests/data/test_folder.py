"""Folders of image files, decoded once into memory or on disk."""

import logging
import os

import numpy as np
import pytest
from PIL import Image, features

from byol_tf.modalities.image import reading
from byol_tf.modalities.image.reading import load_images

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


def paint(path, colour=RED, size=(24, 16), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def load(folder, split="train", image_size=8, **options):
    return load_images(
        "folder", "", split, str(folder), image_size=image_size, **options
    )


def colours(images):
    """The colour of each image, after a check that it has but one."""
    pixels = images.rows.astype(int)
    assert (np.ptp(pixels, axis=(1, 2)) <= 2).all()
    return pixels[:, 0, 0]


@pytest.fixture
def two_classes(tmp_path):
    paint(tmp_path / "dog" / "1.png", GREEN)
    paint(tmp_path / "cat" / "2.png", RED)
    paint(tmp_path / "cat" / "1.png", BLUE)
    return tmp_path


# ---- what is found ------------------------------------------------------


def test_a_mixed_folder_comes_out_right(tmp_path):
    # In the order of the paths; (file, expected RGB).
    made = {
        "a.jpg": RED,
        "b.JPEG": (90, 90, 90),
        "c.png": (255, 255, 255),
        "d.png": (90, 90, 90),
        "deep/er/e.gif": BLUE,
        "f.bmp": GREEN,
        "g.jpg": RED,
        "h.png": GREEN,
    }
    paint(tmp_path / "a.jpg", RED, quality=95)
    paint(tmp_path / "b.JPEG", 90, mode="L")
    paint(tmp_path / "c.png", (*RED, 0), mode="RGBA")
    deep = np.full((16, 24), 90 * 257, np.uint16)
    Image.fromarray(deep).save(tmp_path / "d.png")
    paint(tmp_path / "deep/er/e.gif", BLUE)
    paint(tmp_path / "f.bmp", GREEN)
    cmyk = tuple(255 - value for value in RED)
    paint(tmp_path / "g.jpg", (*cmyk, 0), mode="CMYK", quality=95)
    indexed = Image.new("P", (16, 24), 1)
    indexed.putpalette([0, 0, 0, *GREEN])
    indexed.save(tmp_path / "h.png")
    if features.check("webp"):
        made["i.webp"] = BLUE
        paint(tmp_path / "i.webp", BLUE, lossless=True)
    images = load(tmp_path)
    assert images.rows.dtype == np.uint8
    assert images.rows.shape == (len(made), 8, 8, 3)
    expected = np.array(list(made.values()))
    assert np.abs(colours(images) - expected).max() <= 3
    assert images.skipped == ()


def test_one_channel_on_request(tmp_path):
    paint(tmp_path / "a.png", RED)
    images = load(tmp_path, channels=1)
    assert images.row_shape == (8, 8, 1)
    luma = np.dot(RED, (0.299, 0.587, 0.114))
    assert np.abs(colours(images) - luma).max() <= 1


def test_hidden_and_other_files_are_left_out(tmp_path):
    paint(tmp_path / "a.png")
    paint(tmp_path / ".hidden.png")
    paint(tmp_path / ".thumbnails" / "a.png")
    (tmp_path / "notes.txt").write_text("not an image")
    assert load(tmp_path).num_examples == 1


def test_linked_folders_are_followed_but_not_in_circles(tmp_path):
    paint(tmp_path / "elsewhere" / "a.png")
    folder = tmp_path / "folder"
    paint(folder / "b.png")
    os.symlink(tmp_path / "elsewhere", folder / "linked")
    os.symlink(folder, folder / "circle")
    assert load(folder).num_examples == 2


# ---- labels ---------------------------------------------------------------


def test_sub_folders_are_the_labels(two_classes):
    images = load(two_classes)
    assert images.class_names == ("cat", "dog")
    np.testing.assert_array_equal(images.labels, [0, 0, 1])
    np.testing.assert_array_equal(colours(images), [BLUE, RED, GREEN])


def test_only_the_first_level_is_the_label(two_classes):
    paint(two_classes / "cat" / "tabby" / "dog" / "3.png")
    assert load(two_classes).class_names == ("cat", "dog")
    np.testing.assert_array_equal(load(two_classes).labels, [0, 0, 0, 1])


def test_images_outside_of_sub_folders_mean_no_labels(two_classes):
    paint(two_classes / "loose.png")
    paint(two_classes / "loose2.png")  # more than there are of a class
    images = load(two_classes)
    assert images.class_names == ()
    np.testing.assert_array_equal(images.labels, [-1] * 5)


def test_a_single_sub_folder_is_no_label(tmp_path):
    paint(tmp_path / "photos" / "1.png")
    (tmp_path / "empty").mkdir()
    images = load(tmp_path)
    assert not images.labelled
    with pytest.raises(ValueError, match="has no labels"):
        load(tmp_path, labels="required")


def test_a_sub_folder_of_the_split_holds_the_split(tmp_path):
    for split, colour in (("train", RED), ("test", BLUE)):
        paint(tmp_path / split / "cat" / "1.png", colour)
        paint(tmp_path / split / "dog" / "1.png", colour)
    for split, colour in (("train", RED), ("test", BLUE)):
        images = load(tmp_path, split)
        np.testing.assert_array_equal(colours(images), [colour] * 2)
        assert images.class_names == ("cat", "dog")
        assert images.name == tmp_path.name


def test_a_class_has_the_same_label_in_every_split(tmp_path):
    for path in ("train/ant", "train/bee", "train/cat", "test/cat", "test/ape"):
        paint(tmp_path / path / "1.png")
    images = load(tmp_path, "test")
    assert images.class_names == ("ant", "bee", "cat", "ape")
    np.testing.assert_array_equal(images.labels, [3, 2])


# ---- damaged files ----------------------------------------------------------


def test_a_corrupt_image_is_skipped_and_named(two_classes, caplog):
    whole = (two_classes / "cat" / "1.png").read_bytes()
    (two_classes / "cat" / "1.5.png").write_bytes(whole[: len(whole) // 2])
    (two_classes / "dog" / "0.jpg").write_bytes(b"text")
    with caplog.at_level(logging.WARNING, "absl"):
        images = load(two_classes)
    np.testing.assert_array_equal(images.labels, [0, 0, 1])
    np.testing.assert_array_equal(colours(images), [BLUE, RED, GREEN])
    names, reasons = zip(*images.skipped, strict=True)
    assert names == ("cat/1.5.png", "dog/0.jpg")
    assert "damaged image" in reasons[0]
    assert "not an image" in reasons[1]
    assert "Skipped cat/1.5.png: damaged image" in caplog.text
    assert "Skipped 2 of 5 images" in caplog.text
    assert images.paths == ("cat/1.png", "cat/2.png", "dog/1.png")


def test_paths_are_relative_to_the_folder_of_the_split(tmp_path):
    for path in ("train/cat/1", "train/dog/1", "test/cat/2"):
        paint(tmp_path / f"{path}.png")
    images = load(tmp_path, "test")
    assert images.paths == ("cat/2.png",)
    assert images.folder == str(tmp_path / "test")


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_no_readable_image_is_an_error(tmp_path, cache):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"none of the 1 images.*a\.png: not"):
        load(tmp_path / "images", cache=cache, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("folder", "split", "options", "message"),
    [
        ("missing", "train", {}, "there is no folder '.*missing'"),
        ("empty", "train", {}, "no image in '.*empty'"),
        ("images", "test", {}, "no sub-folder 'test'.*hold out"),
        ("images", "train", {"image_size": None}, "differ in size"),
        ("images", "train", {"channels": -1}, "`channels` must be 1 or"),
    ],
)
def test_unusable_folder_or_argument_is_an_error(
    tmp_path, folder, split, options, message
):
    (tmp_path / "empty").mkdir()
    paint(tmp_path / "images" / "a.png")
    with pytest.raises(ValueError, match=message) as error:
        load(tmp_path / folder, split, **options)
    assert "\n" not in str(error.value)


def test_no_folder_at_all_is_an_error():
    with pytest.raises(ValueError, match="a folder of images must be named"):
        load("")


# ---- the disk cache -----------------------------------------------------


@pytest.fixture
def many(tmp_path):
    """A folder with a corrupt image among good ones, and a cache."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(5):
            pixels = rng.integers(0, 256, (9, 12, 3), np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i}.png")
    (folder / "cat" / "2.png").write_bytes(b"text")
    return folder, tmp_path / "cache"


def test_disk_cache_gives_what_memory_gives(many):
    folder, cache = many
    in_memory = load(folder, cache="memory")
    on_disk = load(folder, cache="disk", cache_dir=cache)
    assert isinstance(on_disk.rows, np.memmap)
    assert not isinstance(in_memory.rows, np.memmap)
    assert on_disk.fingerprint() == in_memory.fingerprint()
    assert on_disk.skipped == in_memory.skipped
    assert on_disk.paths == in_memory.paths and len(on_disk.paths) == 9
    assert on_disk.class_names == in_memory.class_names


def test_disk_cache_is_used_again(many, monkeypatch):
    folder, cache = many
    first = load(folder, cache="disk", cache_dir=cache)

    def no_decoding(*_):
        raise AssertionError("decoded a second time")

    monkeypatch.setattr(
        "byol_tf.modalities.image.reading.decode_square", no_decoding
    )
    second = load(folder, cache="disk", cache_dir=cache)
    assert second.fingerprint() == first.fingerprint()
    assert (
        second.skipped == first.skipped == (("cat/2.png", first.skipped[0][1]),)
    )


def test_changed_files_or_options_are_decoded_anew(many):
    folder, cache = many
    first = load(folder, cache="disk", cache_dir=cache)
    paint(folder / "dog" / "0.png", BLUE)
    changed = load(folder, cache="disk", cache_dir=cache)
    assert changed.fingerprint() != first.fingerprint()
    smaller = load(folder, image_size=4, cache="disk", cache_dir=cache)
    assert smaller.row_shape == (4, 4, 3)
    gray = load(folder, channels=1, cache="disk", cache_dir=cache)
    assert gray.row_shape == (8, 8, 1)


def test_interrupted_decoding_leaves_nothing_that_passes_for_whole(
    many, monkeypatch
):
    folder, cache = many
    decode = reading.decode_square

    def interrupted(path, *arguments):
        if path.name == "3.png":
            raise KeyboardInterrupt
        return decode(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "decode_square", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(folder, cache="disk", cache_dir=cache)
    assert list(cache.iterdir()) == []
    assert load(folder, cache="disk", cache_dir=cache).num_examples == 9


def test_auto_cache_takes_the_disk_above_the_limit(many):
    folder, cache = many
    size = 10 * 8 * 8 * 3
    fits = load(folder, cache="auto", cache_bytes=size, cache_dir=cache)
    assert not isinstance(fits.rows, np.memmap)
    above = load(folder, cache="auto", cache_bytes=size - 1, cache_dir=cache)
    assert isinstance(above.rows, np.memmap)


def test_disk_cache_without_a_folder_is_an_error(many):
    with pytest.raises(ValueError, match="`cache_dir` must name a folder"):
        load(many[0], cache="disk")
