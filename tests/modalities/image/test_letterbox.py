"""Whole images as squares, in Python, in batches and in graphs."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.modalities.image.decode import decode_square
from byol_tf.modalities.image.graph_decode import decode_files
from byol_tf.modalities.image.letterbox import WholeView
from byol_tf.modalities.image.points import into_whole, out_of_whole

PIXELS = np.kron(
    np.random.default_rng(0).integers(40, 255, (6, 10, 3)), np.ones((8, 8, 1))
).astype(np.uint8)


def padded(image):
    """A square, by hand."""
    side = max(image.shape[:2])
    square = np.zeros((side, side, image.shape[2]), image.dtype)
    square[: image.shape[0], : image.shape[1]] = image
    return square


@pytest.mark.parametrize("turned", [False, True])
def test_batches_are_padded_then_resized(turned):
    image = PIXELS.swapaxes(0, 1) if turned else PIXELS
    view = WholeView(24)(image[None])[0]
    expected = tf.image.resize(padded(image) / 255.0, (24, 24), "bicubic")
    np.testing.assert_allclose(view, np.clip(expected, 0, 1), atol=1e-5)


def test_images_of_several_sizes_lie_on_a_canvas():
    canvas = np.zeros((2, 100, 128, 3), np.uint8)
    canvas[0, :48, :80], canvas[1, :80, :48] = PIXELS, PIXELS.swapaxes(0, 1)
    lengths = np.int32([[48, 80], [80, 48]])
    views = WholeView(24)({"image": canvas, "length": lengths})
    np.testing.assert_allclose(views[0], WholeView(24)(PIXELS[None])[0], 1e-5)
    alone = WholeView(24)(PIXELS.swapaxes(0, 1)[None])[0]
    np.testing.assert_allclose(views[1], alone, atol=1e-6)


def test_squares_of_the_size_are_taken_as_they_are():
    square = padded(PIXELS)[None]
    view = WholeView.from_config(WholeView(80).get_config())
    np.testing.assert_array_equal(view(square), np.float32(square) / 255)


def test_nothing_may_be_cut_off():
    with pytest.raises(ValueError, match="need a square `size`"):
        WholeView((8, 16))
    with pytest.raises(ValueError, match="`crop_fraction=1`"):
        WholeView(8, crop_fraction=0.9)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_graph_and_python_agree_whichever_way_a_file_is_turned(kind):
    files = []
    for orientation in range(1, 9):
        exif, file = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        Image.fromarray(PIXELS).save(file, kind, exif=exif, quality=95)
        files.append(file.getvalue())
    images, status, sizes = decode_files(
        tf.constant([*files, b"none"]), 20, 3, whole=True
    )
    assert set(status[:-1].numpy()) == {b"ok"} and status[-1] != b"ok"
    expected = [decode_square(file, 20, 3, whole=True) for file in files]
    np.testing.assert_allclose(
        np.int32(images[:-1]), np.int32(expected), atol=2
    )
    wide, tall = [80, 48], [48, 80]
    assert sizes.numpy().tolist() == [*[wide] * 4, *[tall] * 4, [1, 1]]
    upright = np.asarray(expected[0])
    assert not upright[14:].any() and upright[:11].min() > 20


def test_graph_reduces_a_long_photo_as_python_does():
    # To 1/4: at 1/8, 12 rows would be fewer than twice those of the square.
    pixels = np.random.default_rng(0).integers(0, 255, (99, 1000, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    images, _, _ = decode_files(
        tf.constant([file.getvalue()]), 62, 3, whole=True
    )
    expected = decode_square(file.getvalue(), 62, 3, whole=True)
    np.testing.assert_allclose(np.int32(images[0]), expected, atol=2)


def test_points_are_where_their_pixels_are():
    # The square's side is the longer one, 80 pixels.
    points = np.array([[[0.5, 1.0]], [[0.25, 0.5]]])
    sizes = np.array([[80, 48], [48, 80]])
    inside = into_whole(points, sizes)
    np.testing.assert_allclose(inside, [[[0.5, 0.6]], [[0.15, 0.5]]])
    np.testing.assert_allclose(out_of_whole(inside, sizes), points)
