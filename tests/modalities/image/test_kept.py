"""Photos that are kept as pixels or in shards, beside their files."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf import TwoViews
from byol_tf.data.examples import Encoded, Examples
from byol_tf.data.pack import estimated_bytes, packed
from byol_tf.data.rows import Unreadable
from byol_tf.data.store import Store
from byol_tf.modalities.image.kept import codec
from byol_tf.modalities.image.reading import image_decoder
from byol_tf.modalities.image.resize import Levels
from byol_tf.modalities.image.view import View

SIZE = 32
VIEWS = TwoViews.byol(SIZE)


def photo(height=420, width=640, seed=0):
    """Slopes with edges, as photos have them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.BICUBIC)
    pixels = np.array(image)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = 240
    return pixels


def file_of(pixels, form="JPEG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, quality=95)
    return file.getvalue()


def examples_of(*items, dtype="uint8"):
    decoder = image_decoder()
    if dtype != "uint8":
        decoder = decoder.of_stored("set", (None, None, 3), np.dtype(dtype))
    labels = np.arange(len(items), dtype=np.int32)
    decode, spec = decoder.decode, decoder.spec
    return Examples(Encoded(items), labels, decode=decode, spec=spec)


def keep(store, *items, side=0, **options):
    examples = examples_of(*items, **options)
    own = codec(store, examples, VIEWS, side)
    return packed(examples, own, Store(), False)


def test_the_smallest_crop_of_a_kept_photo_is_as_large_as_its_view():
    view = View(SIZE, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3))
    side = view.kept_side()
    height, width = np.sqrt(0.08 * side**2 / np.array([4 / 3, 3 / 4]))
    assert SIZE <= min(height, width) < SIZE + 1


@pytest.mark.parametrize("shape", [(420, 640), (700, 431), (100, 60)])
def test_pixels_are_reduced_to_the_shorter_side(shape):
    row = keep("pixels", file_of(photo(*shape))).read(0)["image"]
    side = min(VIEWS.view1.kept_side(), *shape)
    assert min(row.shape[:2]) == side and row.shape[-1] == 3
    assert row.shape[0] / row.shape[1] == pytest.approx(
        shape[0] / shape[1], rel=0.01
    )


def test_pixels_of_small_photos_are_those_of_the_file():
    pixels = photo(50, 70)
    row = keep("pixels", file_of(pixels, "PNG")).read(0)["image"]
    np.testing.assert_array_equal(row, pixels)


def test_the_bytes_of_pixels_are_known_before():
    data = file_of(photo())
    kept = keep("pixels", data)
    size = estimated_bytes(kept, kept.rows.kept.codec)
    assert size == len(kept.rows.kept_data(0)) - 20


def crops_of(examples, numbers):
    cuts = functools.partial(VIEWS.least_side, numbers)
    return VIEWS.cut_array(examples.read(0, cuts)["image"], numbers)


@pytest.mark.parametrize("store", ["pixels", "shards"])
def test_crops_of_kept_photos_are_those_of_the_files(store):
    data = file_of(photo())  # too small for shards to change it
    side = 0 if store == "pixels" else 420
    files, kept = examples_of(data), keep(store, data, side=side)
    for numbers in VIEWS.numbers(tf.constant([3, 7]), 24).numpy():
        for ours, theirs in zip(
            crops_of(kept, numbers), crops_of(files, numbers), strict=True
        ):
            difference = np.abs(np.subtract(ours, theirs, dtype=np.int32))
            # Filtered twice, and beyond the border of a crop: steep slopes.
            assert difference.mean() < 2


def test_a_view_is_cut_from_the_smallest_reduction_that_is_large_enough():
    levels = [np.full((s, s, 3), s, np.uint8) for s in (128, 64, 32)]
    levels = Levels(levels, (128, 128))
    view = View(16, area=(1.0, 1.0), aspect=(1.0, 1.0))
    numbers = np.zeros(21, np.float32)
    assert view.cut_array(levels, numbers).max() == 32
    part = View(16, area=(0.1, 0.1), aspect=(1.0, 1.0))  # 40 of 128 pixels
    assert part.cut_array(levels, numbers).max() == 64


def test_a_crop_of_a_reduction_lies_where_that_of_the_whole_lies():
    whole = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, 256))
    whole = np.stack([whole, whole.T, whole], -1)
    half = whole.reshape(128, 2, 128, 2, 3).mean((1, 3)).astype(np.uint8)
    view = View(SIZE, area=(0.3, 0.8))
    for numbers in np.random.default_rng(0).random((20, 21), np.float32):
        levels = Levels([whole, half], whole.shape[:2])
        ours = view.cut_array(levels, numbers).astype(int)
        theirs = view.cut_array(whole, numbers)
        # A half is 0.5 darker by rounding, means of blocks are rounded, and
        # slopes end at the border.
        inner = np.abs(ours - theirs)[2:-2, 2:-2]
        assert inner.max() <= 2


def test_pixels_of_16_bits_are_kept_as_they_are():
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50, 3), np.uint16)
    data = tf.io.encode_png(deep).numpy()
    kept = keep("pixels", data, dtype="uint16")
    np.testing.assert_array_equal(kept.read(0)["image"], deep)
    assert kept.read(0, min)["image"].dtype == np.uint16


def test_small_files_lie_in_shards_byte_for_byte():
    data = file_of(photo(100, 130))
    assert keep("shards", data).rows.kept_data(0) == data


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_large_files_are_made_smaller_in_their_own_format(form):
    kept = keep("shards", file_of(photo(), form), side=96)
    with Image.open(io.BytesIO(kept.rows.kept_data(0))) as image:
        assert image.format == form and image.size == (146, 96)
    assert kept.read(0)["image"].shape == (96, 146, 3)


def test_an_upright_photo_stays_upright():
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(photo()).save(file, "JPEG", exif=exif)
    row = keep("shards", file.getvalue(), side=64).read(0)["image"]
    assert row.shape == (98, 64, 3)


@pytest.mark.parametrize("store", ["pixels", "shards"])
def test_a_file_that_is_no_image_is_listed(store):
    kept = keep(store, b"<html>", file_of(photo(40, 50)))
    assert list(kept.rows.unreadable) == [0]
    with pytest.raises(Unreadable):
        kept.read(0)
    assert kept.read(1)["image"].shape == (40, 50, 3)
