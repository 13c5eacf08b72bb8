"""GIFs that are larger than they seem, inside the graph of an export."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.modalities.image.graph_decode import (
    OK,
    TOO_LARGE,
    _gif_pixels,
    decode_squares,
)


def gif(*sizes):
    rng = np.random.default_rng(0)
    frames = [
        Image.fromarray(rng.integers(0, 256, (h, w), np.uint8))
        for w, h in sizes
    ]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


# Traced once for all files and limits.
pixels_of = tf.function(lambda data: _gif_pixels(data)[0])
decode = tf.function(
    lambda files, max_pixels: decode_squares(files, 8, 3, max_pixels),
    input_signature=[
        tf.TensorSpec([None], tf.string),
        tf.TensorSpec([], tf.int64),
    ],
)


def statuses(*files, max_pixels):
    _, status = decode(tf.constant(list(files)), max_pixels)
    return [text.decode() for text in status.numpy()]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_frames_count(count):
    data = tf.constant(gif(*[(30, 20)] * count))
    assert int(pixels_of(data)) == 30 * 20 * count


def test_a_frame_larger_than_the_screen_is_refused():
    data = bytearray(gif((200, 100)))
    data[6:10] = struct.pack("<HH", 1, 1)  # what the screen claims
    small = gif((20, 10))
    found = statuses(bytes(data), small, max_pixels=10_000)
    assert found == [TOO_LARGE, OK]


def test_many_frames_are_refused_for_all_their_pixels():
    frames = gif(*[(50, 50)] * 5)
    assert statuses(frames, max_pixels=12_499) == [TOO_LARGE]
    assert statuses(frames, max_pixels=12_500) == [OK]


def test_a_gif_of_very_many_blocks_is_refused():
    endless = gif((2, 2))[:-1] + b"\x21\xfe" + b"\x01x" * 100_000
    assert statuses(endless, max_pixels=10**9) == [TOO_LARGE]


def test_any_damage_leaves_the_others_alone():
    rng = np.random.default_rng(1)
    good = gif((9, 7), (9, 7))
    damaged = []
    for _ in range(200):
        data = bytearray(good[: rng.integers(6, len(good))])
        for place in rng.integers(6, len(data), 3) if len(data) > 6 else ():
            data[place] = rng.integers(256)
        damaged.append(bytes(data))
    found = statuses(good, *damaged, good, max_pixels=10_000)
    assert found[0] == found[-1] == OK
