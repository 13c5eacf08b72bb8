"""Images as they are stored, of several sizes, for views from the originals."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.data import sources
from byol_tf.data.batches import training_batches
from byol_tf.modalities.image.reading import image_decoder, load_images
from byol_tf.seeds import step_seed

SIZES = [(8, 20), (31, 9), (12, 12), (50, 16), (7, 7), (9, 40)]


@pytest.fixture
def photos(tmp_path):
    """PNG files of several sizes, and one that is damaged."""
    rng = np.random.default_rng(0)
    arrays = []
    for number, size in enumerate(SIZES):
        arrays.append(rng.integers(0, 256, (*size, 3), np.uint8))
        Image.fromarray(arrays[-1]).save(tmp_path / f"{number}.png")
    (tmp_path / "6.png").write_bytes(b"<html>")
    return tmp_path, arrays


class Crops:
    """Two crops of 5 pixels from anywhere in an image."""

    def numbers(self, seed, count):
        return tf.random.stateless_uniform([count, 4], seed)

    def cut(self, image, numbers):
        free = tf.cast(tf.shape(image)[:2] - 5, tf.float32)
        places = tf.reshape(numbers, [2, 2]) * (free + 1)
        return tuple(
            tf.image.crop_to_bounding_box(image, *tf.unstack(place), 5, 5)
            for place in tf.unstack(tf.cast(places, tf.int32))
        )


def crops(examples, **options):
    batches = training_batches(
        *(examples, 3),
        seed=1,
        views=Crops(),
        view_seed=lambda step, replica: step_seed(4, step, replica),
        **options,
    )
    return list(batches.as_numpy_iterator())


def load(folder):
    return sources.load("folder", directory=folder, decoder=image_decoder())


def test_rows_are_the_whole_images(photos):
    folder, arrays = photos
    examples = load(folder).readable()
    assert examples.skipped[0][0] == "6.png"
    assert examples.row_shape == (None, None, 3)
    for row, array in enumerate(arrays):
        np.testing.assert_array_equal(examples.read(row)["image"], array)


def test_views_are_cut_from_the_originals(photos):
    folder, arrays = photos
    seen = set()
    for step, (views, _) in enumerate(crops(load(folder), num_steps=40)):
        draws = Crops().numbers(step_seed(4, step), 3).numpy()
        for i in range(3):
            pairs = zip(views, draws[i].reshape(2, 2), strict=True)
            found = [
                {
                    number
                    for number, image in enumerate(arrays)
                    if (window(image, draw) == view[i]).all()
                }
                for view, draw in pairs
            ]
            (number,) = found[0] & found[1]
            seen.add(number)
    assert seen == set(range(len(SIZES)))


def window(image, draw):
    free = np.array(image.shape[:2], np.float32) - 5
    top, left = (draw * (free + 1)).astype(int)
    return image[top : top + 5, left : left + 5]


def test_views_of_files_go_on_bit_for_bit(photos):
    whole = crops(load(photos[0]), num_steps=9)
    rest = crops(load(photos[0]), start_step=4, num_steps=5)
    for a, b in zip(whole[4:], rest, strict=True):
        for one, two in zip(a[0], b[0], strict=True):
            np.testing.assert_array_equal(one, two)


def test_images_that_are_decoded_at_once_need_a_size(photos):
    with pytest.raises(ValueError, match="differ in size"):
        load_images("folder", directory=photos[0])
    images = load_images("folder", directory=photos[0], image_size=6)
    assert images.rows.shape == (6, 6, 6, 3)
    assert images.spec == {"image": tf.TensorSpec([6, 6, 3], tf.uint8)}
