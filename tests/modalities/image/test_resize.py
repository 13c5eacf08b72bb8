"""Decoded images are brought to one size."""

import io

import numpy as np
import pytest
from PIL import Image

from byol_tf.modalities.image.decode import (
    decode_image,
    decode_square,
)
from byol_tf.modalities.image.resize import resize_and_centre_crop


def test_resize_keeps_an_image_of_the_right_size():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 5), np.uint8)
    np.testing.assert_array_equal(resize_and_centre_crop(image, 8), image)


@pytest.mark.parametrize("shape", [(8, 14), (14, 8)])
def test_crop_is_the_centre_square(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    top, left = (shape[0] - 8) // 2, (shape[1] - 8) // 2
    np.testing.assert_array_equal(
        resize_and_centre_crop(image, 8), image[top : top + 8, left : left + 8]
    )


def test_shrinking_averages_instead_of_skipping():
    # A fine checkerboard is gray from afar; without antialiasing it is not.
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = resize_and_centre_crop(board[..., np.newaxis], 8)
    assert small.shape == (8, 8, 1)
    assert np.abs(small.astype(int) - 127.5).max() < 6


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_resize_treats_channels_alike(channels):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, channels), np.uint8)
    whole = resize_and_centre_crop(image, 11)
    for i in range(channels):
        alone = np.repeat(image[..., i : i + 1], 3, axis=-1)
        np.testing.assert_array_equal(
            whole[..., i], resize_and_centre_crop(alone, 11)[..., 0]
        )


def test_reduced_decoding_of_a_photo_changes_next_to_nothing():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (6, 9, 3), np.uint8)
    photo = Image.fromarray(coarse).resize((900, 600), Image.BICUBIC)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    reduced = decode_image(data, least_side=128)
    assert reduced.shape[:2] == (150, 225)
    full = resize_and_centre_crop(decode_image(data), 64)
    error = np.abs(decode_square(data, 64).astype(int) - full)
    assert error.max() <= 3
