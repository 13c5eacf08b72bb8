"""Pixels of image files by their headers, against Pillow."""

import io
import math
import random
import struct

import numpy as np
import pytest
from PIL import Image

from byol_tf.serving.image_header import count_pixels


def encoded(width, height, kind, mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, (width, height), 1).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_pixels_are_those_that_pillow_finds(kind, mode):
    for width, height in ((1, 1), (37, 300), (1000, 3)):
        data = encoded(width, height, kind, mode)
        opened = Image.open(io.BytesIO(data))
        assert count_pixels(data) == math.prod(opened.size)


def test_what_comes_before_the_size_in_a_jpeg_is_passed_over():
    exif = Image.Exif()
    exif[0x010E] = "\xff\xc0" * 900
    data = encoded(
        64, 21, "JPEG", exif=exif, comment=b"\xff\xc0", progressive=True
    )
    assert count_pixels(data) == 64 * 21


def test_all_frames_of_a_gif_count():
    noise = np.random.default_rng(0).integers(0, 256, (3, 10, 20), np.uint8)
    frames = [Image.fromarray(pixels) for pixels in noise]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(file.getvalue())) as image:
        assert image.n_frames == 3
    assert count_pixels(file.getvalue()) == 600


def test_a_large_frame_on_a_small_screen_counts():
    data = bytearray(encoded(20, 10, "GIF"))
    data[6:10] = struct.pack("<HH", 1, 1)
    assert count_pixels(bytes(data)) == 200


def test_a_bitmap_that_is_upside_down_has_as_many():
    data = bytearray(encoded(20, 10, "BMP"))
    data[22:26] = struct.pack("<i", -10)
    assert count_pixels(bytes(data)) == 200


def test_other_and_cut_files_have_none():
    assert count_pixels(b"") == count_pixels(b"text" * 99) == 0
    for kind in ("JPEG", "PNG", "GIF", "BMP"):
        assert count_pixels(encoded(9, 9, kind)[:8]) == 0


def test_a_header_that_never_ends_is_infinitely_large():
    assert count_pixels(b"\xff\xd8\xff\x00" + b"\xff\x00" * 10**6) == math.inf
    gif = encoded(2, 2, "GIF")[:-1] + b"\x21\xfe" + b"\x01x" * 10**6
    assert count_pixels(gif) == math.inf


def test_no_damage_is_an_error():
    rng = random.Random(0)
    for kind in ("JPEG", "PNG", "GIF", "BMP"):
        data = encoded(40, 30, kind)
        for _ in range(200):
            broken = bytearray(data[: rng.randrange(len(data))])
            for _ in range(3 * bool(broken)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            assert count_pixels(bytes(broken)) >= 0


def test_numbers_are_plain_python():
    assert not isinstance(count_pixels(encoded(9, 9, "PNG")), np.generic)
