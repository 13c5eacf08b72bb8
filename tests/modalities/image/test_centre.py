"""The deterministic preprocessing of evaluations and exports."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image.views import CentreView


def some_images(height, width, batch=3, channels=3):
    shape = [batch, height, width, channels]
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def cut_and_resized(images, size, fraction=1.0, method="bicubic"):
    """The official way: cut the centre out, then resize."""
    height, width = images.shape[1:3]
    side = int(fraction * min(height, width))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    images = images[:, top : top + side, left : left + side]
    images = tf.image.resize(np.float32(images) / 255, [size, size], method)
    return np.clip(images, 0, 1)


def test_image_of_the_right_size_is_only_converted():
    images = some_images(8, 12)
    view = CentreView((8, 12))
    np.testing.assert_array_equal(view(images), np.float32(images) / 255)
    floats = np.float32(images) / 255
    np.testing.assert_array_equal(view(floats), floats)


@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
@pytest.mark.parametrize("height,width", [(20, 20), (20, 31), (33, 16), (9, 9)])
def test_shorter_side_is_scaled_and_the_centre_cut_out(height, width, method):
    images = some_images(height, width)
    ours = CentreView(12, resize=method)(images)
    theirs = cut_and_resized(images, 12, method=method)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize("height,width", [(64, 64), (41, 60), (16, 16)])
def test_crop_fraction_keeps_the_official_share(height, width):
    images = some_images(height, width)
    ours = CentreView(16, crop_fraction=224 / 256)(images)
    theirs = cut_and_resized(images, 16, fraction=224 / 256)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_oblong_size_takes_the_largest_box_of_its_proportions():
    images = some_images(10, 30)
    ours = CentreView((10, 20))(images)
    theirs = np.float32(images[:, :, 5:25]) / 255
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_sizes_may_be_unknown_in_advance(channels):
    view = CentreView(8)
    signature = tf.TensorSpec([None, None, None, channels], tf.uint8)
    traced = tf.function(view, input_signature=[signature])
    for height, width, batch in [(8, 8, 1), (13, 9, 2), (30, 40, 3)]:
        images = some_images(height, width, batch, channels)
        result = traced(images)
        assert result.shape == (batch, 8, 8, channels)
        np.testing.assert_allclose(result, view(images), atol=1e-6)


def test_shape_of_a_symbolic_image_is_known():
    view = CentreView((6, 8))
    output = view(keras.Input((None, None, 3), dtype="uint8"))
    assert output.shape == (None, 6, 8, 3)
    assert output.dtype == "float32"
    assert view.compute_output_shape((4, 9, 9, 1)) == (4, 6, 8, 1)


def test_saved_and_loaded_it_gives_the_same(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, None, 3), dtype="uint8"),
            CentreView((6, 8), crop_fraction=0.8, resize="bilinear"),
        ]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = some_images(11, 12)
    np.testing.assert_array_equal(loaded(images), model(images))
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize(
    "arguments,name",
    [
        ({"size": None}, "size"),
        ({"size": 0}, "size"),
        ({"size": (3, 4, 5)}, "size"),
        ({"size": 4, "crop_fraction": 0.0}, "crop_fraction"),
        ({"size": 4, "crop_fraction": 1.1}, "crop_fraction"),
        ({"size": 4, "resize": "lanczos"}, "resize"),
    ],
)
def test_impossible_argument_is_refused_by_name(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` must .* {name}="):
        CentreView(**arguments)


@pytest.mark.parametrize(
    "images,message",
    [
        (np.zeros([4, 4, 3], np.uint8), r"\[batch, height, width, channels\]"),
        (np.zeros([2, 4, 4, 3], np.int32), "uint16, or float.* int32"),
    ],
)
def test_other_than_a_batch_of_images_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        CentreView(4)(images)


@pytest.mark.parametrize("fraction", [1.0, 0.875, 0.3])
@pytest.mark.parametrize("window", [None, (100.0, 30000.0)])
def test_one_image_is_prepared_as_in_a_batch_and_no_further(window, fraction):
    stored = "uint16" if window else "uint8"
    view = CentreView(8, fraction, window=window, stored=stored)
    images = some_images(20, 31).astype(stored) * (200 if window else 1)
    expected = view(images)
    once = np.stack([view.one(image) for image in images])
    np.testing.assert_allclose(view(once), expected, atol=1e-6)
