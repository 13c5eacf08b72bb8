"""Thousands of damaged image files: pixels or a reason, never anything else."""

import functools
import io
import random
import struct
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, features

from byol_tf.modalities.image import graph_decode as graph
from byol_tf.modalities.image.decode import (
    MAX_PIXELS,
    ImageError,
    decode_image,
    decode_square,
)
from byol_tf.modalities.image.reading import load_images
from tests.support import hostile
from tests.support.hostile import encoded, noise, turned

SIZE = 8
CASES = 3000
GOOD_EVERY = 10  # cases to one good file
KINDS = ["JPEG", "PNG", "GIF", "BMP"] + ["WEBP"] * features.check("webp")
EXTENSIONS = (".jpg", ".png", ".gif", ".bmp", ".webp", ".JPEG")

pytestmark = pytest.mark.filterwarnings(
    "ignore::PIL.Image.DecompressionBombWarning"
)


def corpus(seed, cases=CASES):
    """Damaged and good files, and which of them are good."""
    rng = random.Random(seed)
    good = list(hostile.seeds().values())
    files, whole = [], []
    for number in range(cases):
        data = rng.choice(good)
        whole.append(number % GOOD_EVERY == 0)
        files.append(data if whole[-1] else hostile.damaged(data, rng))
    return files, np.array(whole)


@functools.cache
def decoder(max_pixels):
    """The graph of an export."""
    return tf.function(
        lambda files: graph.decode_squares(files, SIZE, 3, max_pixels),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )


def squares(files, max_pixels=MAX_PIXELS):
    """What the graph makes of files."""
    pixels, status = decoder(max_pixels)(tf.constant(files))
    return pixels.numpy(), [text.decode() for text in status.numpy()]


def test_a_folder_of_damaged_files_gives_its_good_ones_and_reasons(tmp_path):
    files, whole = corpus(seed=1)
    rng = random.Random(2)
    names = []
    for number, data in enumerate(files):
        names.append(f"{number:05}{rng.choice(EXTENSIONS)}")  # mostly wrong
        (tmp_path / names[-1]).write_bytes(data)
    images = hostile.within(
        120,
        lambda: load_images("folder", directory=str(tmp_path), image_size=SIZE),
    )
    rows = {path: row for row, path in enumerate(images.paths)}
    reasons = dict(images.skipped)
    assert sorted([*rows, *reasons]) == names
    assert all(why and "\n" not in why for why in reasons.values())
    assert len(reasons) > CASES / 4
    for name, data, good in zip(names, files, whole, strict=True):
        if good:
            alone = decode_square(data, SIZE, 3)
            np.testing.assert_array_equal(images.rows[rows[name]], alone)


def test_a_batch_of_damaged_files_in_the_graph_loses_no_good_one():
    files, whole = corpus(seed=3, cases=CASES // 2)
    pixels, status = hostile.within(120, lambda: squares(files))
    assert set(status) <= set(graph.STATUSES)
    alone = {}
    for row in np.flatnonzero(whole):
        data = files[row]
        if data not in alone:
            (one,), (told,) = squares([data])
            alone[data] = one, told
        one, told = alone[data]
        assert status[row] == told
        np.testing.assert_array_equal(pixels[row], one)
    bad = np.array(status) != graph.OK
    assert bad.sum() > len(files) / 4 and not pixels[bad].any()


@pytest.mark.parametrize("kind", hostile.seeds())
def test_every_good_file_is_decoded_alike_in_the_graph(kind):
    data = hostile.seeds()[kind]
    (square,), (status,) = squares([data])
    if "webp" in kind:
        assert status == graph.NO_IMAGE
        return
    assert status == graph.OK
    error = np.abs(square - decode_square(data, SIZE, 3).astype(int))
    # Pillow clips between its two passes, which shows at hard edges.
    assert error.max() <= (16 if kind == "1-bit.png" else 3)
    assert error.mean() <= 2


# ---- too large ------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_holds_to_the_pixel_in_every_format(kind):
    data = encoded(noise(24, 16), kind)
    assert decode_image(data, max_pixels=384).shape == (16, 24, 3)
    with pytest.raises(ImageError, match="24x16 pixels are more than"):
        decode_image(data, max_pixels=383)
    if kind != "WEBP":
        assert squares([data], max_pixels=383)[1] == [graph.TOO_LARGE]


def test_a_bomb_of_400_megapixels_is_refused_before_it_is_decoded():
    bomb = hostile.png_bomb(20_000)
    assert len(bomb) < 10**6
    squares([b""])  # makes the graph
    start = time.process_time()
    with pytest.raises(ImageError, match="more pixels than"):
        decode_image(bomb)
    assert squares([bomb])[1] == [graph.TOO_LARGE]
    # To decode it takes seconds.
    assert time.process_time() - start < 1


def test_a_bomb_just_above_the_default_limit_is_refused():
    with pytest.raises(ImageError, match="limit of 100000000"):
        decode_image(hostile.png_bomb(10_001))


def test_a_bomb_in_webp_is_refused():
    canvas = b"\0\0\0\0" + 2 * (16_382).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + bytes(64)
    with pytest.raises(ImageError):
        decode_image(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_an_image_without_pixels_is_refused(kind):
    data = bytearray(encoded(noise(9, 9), kind))
    place, width = {"GIF": (6, 4), "BMP": (18, 8)}[kind]
    data[place : place + width] = bytes(width)
    if kind == "GIF":
        frame = data.index(b"\x2c\0\0\0\0")
        data[frame + 5 : frame + 9] = bytes(4)
    with pytest.raises(ImageError):
        decode_square(bytes(data), SIZE)
    assert squares([bytes(data)])[1] != [graph.OK]


# ---- EXIF -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_lies_is_put_upright_the_same_everywhere(
    kind, orientation, tmp_path
):
    data = encoded(noise(30, 20, seed=5), kind, exif=turned(orientation))
    (tmp_path / "photo.jpg").write_bytes(data)
    (from_folder,) = load_images(
        "folder", directory=str(tmp_path), image_size=SIZE
    ).rows
    plain = Image.open(io.BytesIO(encoded(noise(30, 20, seed=5), kind)))
    # Where EXIF 2.32 says row 0 and column 0 of what is stored are shown.
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: a.transpose(1, 0, 2)[::-1],
    }[orientation](np.asarray(plain))
    wanted = decode_square(encoded(Image.fromarray(upright), "PNG"), SIZE)
    assert np.abs(from_folder.astype(int) - wanted).max() <= 2
    (in_graph,), _ = squares([data])
    assert np.abs(in_graph.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage" * 3,
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 30,
        b"Exif\0\0MM\0",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_damaged_exif_does_not_cost_the_image(kind, exif):
    data = encoded(noise(24, 16), kind, exif=exif)
    plain = encoded(noise(24, 16), kind)
    np.testing.assert_array_equal(decode_image(data), decode_image(plain))
    assert squares([data])[1] == [graph.OK]
    np.testing.assert_array_equal(squares([data])[0], squares([plain])[0])
