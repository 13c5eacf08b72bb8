"""Crop, resize, flip and rotation, against TensorFlow's and SciPy's."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image import geometry
from tests.support import reference_augment as reference

HEIGHT, WIDTH = 20, 27


def some_images(batch=12, height=HEIGHT, width=WIDTH, channels=3):
    generator = np.random.default_rng(0)
    return generator.random([batch, height, width, channels], np.float32)


def some_boxes(batch=12):
    """Every kind of box: the whole image, one pixel, strips, at the border."""
    generator = np.random.default_rng(1)
    height = generator.integers(1, HEIGHT + 1, batch)
    width = generator.integers(1, WIDTH + 1, batch)
    height[:4], width[:4] = (HEIGHT, 1, 1, HEIGHT), (WIDTH, 1, WIDTH, 1)
    top = generator.integers(0, HEIGHT - height + 1)
    left = generator.integers(0, WIDTH - width + 1)
    return np.stack([top, left, height, width]).astype(np.float32)


def resized(image, box, size, flip, method):
    top, left, height, width = box.astype(int)
    image = image[top : top + height, left : left + width]
    image = tf.image.resize(image, size, method)
    image = tf.image.flip_left_right(image) if flip else image
    return np.clip(image, 0, 1)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(16, 16), (31, 14), (20, 27)])
def test_crop_equals_tensorflow_image_by_image(size, method, jit_compile):
    images, boxes = some_images(), some_boxes()
    flip = np.arange(len(images)) % 2 == 0
    crop = tf.function(geometry.crop_and_resize, jit_compile=jit_compile)
    ours = crop(images, *boxes, size, flip, method)
    for index, image in enumerate(images):
        theirs = resized(image, boxes[:, index], size, flip[index], method)
        np.testing.assert_allclose(ours[index], theirs, atol=5e-6)


@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    "sides,size",
    [
        ((20, 27), (113, 224)),  # up
        ((300, 131), (224, 113)),
        ((700, 450), (112, 112)),  # down
    ],
)
@pytest.mark.parametrize("accelerator", [False, True])
def test_large_crop_equals_tensorflow_image_by_image(
    sides, size, method, accelerator, monkeypatch
):
    monkeypatch.setattr(geometry, "has_accelerator", lambda: accelerator)
    images = some_images(8, *sides)
    scale = np.float32([sides[0] / HEIGHT, sides[1] / WIDTH] * 2)[:, None]
    boxes = np.maximum(np.floor(some_boxes(8) * scale), [[0], [0], [1], [1]])
    boxes[:, 0], flip = (0, 0, *sides), np.arange(8) % 2 == 0
    ours = geometry.crop_and_resize(
        images, *np.float32(boxes), size, flip, method
    )
    for index, image in enumerate(images):
        theirs = resized(image, boxes[:, index], size, flip[index], method)
        np.testing.assert_allclose(ours[index], theirs, atol=5e-6)


def test_large_crop_of_images_of_any_size_is_the_same():
    images, boxes = some_images(), some_boxes()
    crop = tf.function(
        lambda images: geometry.crop_and_resize(images, *boxes, (120, 130)),
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
    )
    known = geometry.crop_and_resize(images, *boxes, (120, 130))
    np.testing.assert_allclose(crop(images), known, atol=2e-6)


@pytest.mark.parametrize("size", [(16, 16), (112, 120)])
def test_bytes_are_cropped_as_the_floats_that_they_stand_for(size):
    images = np.uint8(255 * some_images())
    np.testing.assert_allclose(
        geometry.crop_and_resize(images, *some_boxes(), size),
        geometry.crop_and_resize(images / np.float32(255), *some_boxes(), size),
        atol=1e-6,
    )


@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
def test_crop_of_the_whole_image_is_the_image(method):
    images = some_images(batch=2, channels=5)
    box = np.float32([[0, 0], [0, 0], [HEIGHT] * 2, [WIDTH] * 2])
    ours = geometry.crop_and_resize(
        images, *box, (HEIGHT, WIDTH), method=method
    )
    np.testing.assert_allclose(ours, images, atol=1e-6)


def test_crop_stays_in_range_where_the_cubic_kernel_overshoots():
    images = (some_images() > 0.5).astype(np.float32)
    ours = geometry.crop_and_resize(images, *some_boxes(), (64, 64)).numpy()
    assert ours.min() == 0.0 and ours.max() == 1.0


def test_crop_reads_nothing_outside_the_box():
    images, boxes = some_images(), some_boxes()
    hidden = np.full_like(images, 9.0)
    for index, (top, left, height, width) in enumerate(boxes.T.astype(int)):
        inside = np.s_[index, top : top + height, left : left + width]
        hidden[inside] = images[inside]
    np.testing.assert_array_equal(
        geometry.crop_and_resize(hidden, *boxes, (16, 16)),
        geometry.crop_and_resize(images, *boxes, (16, 16)),
    )


def test_rotation_equals_scipy():
    images = some_images(batch=6)
    angles = np.float32([-180, -77, -5, 0, 30, 123])
    ours = geometry.rotate(images, angles)
    for index, image in enumerate(images):
        theirs = reference.rotate(image, angles[index], "mirror")
        np.testing.assert_allclose(ours[index], theirs, atol=2e-5)


def test_rotation_by_a_quarter_turns_counter_clockwise():
    images = some_images(batch=2, height=9, width=9)
    ours = geometry.rotate(images, np.float32([90, -90]))
    np.testing.assert_allclose(ours[0], np.rot90(images[0]), atol=5e-6)
    np.testing.assert_allclose(ours[1], np.rot90(images[1], -1), atol=5e-6)


def test_rotation_by_nothing_is_the_image():
    images = some_images(batch=2, height=1, width=8)
    ours = geometry.rotate(images, np.zeros(2, np.float32))
    np.testing.assert_allclose(ours, images, atol=1e-6)


def test_rotation_is_the_same_compiled():
    images, angles = some_images(batch=3), np.float32([10, -40, 170])
    compiled = tf.function(geometry.rotate, jit_compile=True)
    np.testing.assert_allclose(
        compiled(images, angles), geometry.rotate(images, angles), atol=1e-5
    )


def test_sizes_are_integers_where_known():
    seen = []

    @tf.function(
        input_signature=[tf.TensorSpec([None, 4, None, 3], tf.float32)]
    )
    def look(images):
        seen.extend(geometry.sizes(images))
        return tf.stack(geometry.sizes(images))

    assert look(tf.zeros([2, 4, 5, 3])).numpy().tolist() == [2, 4, 5, 3]
    assert (seen[1], seen[3]) == (4, 3)
    assert tf.is_tensor(seen[0]) and tf.is_tensor(seen[2])
