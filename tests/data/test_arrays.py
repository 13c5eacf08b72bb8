"""Images in `.npz` files, and the arguments of every source."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.arrays import load_arrays
from byol_tf.data.decoder import Decoder
from byol_tf.modalities.image.reading import load_images


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), np.uint8)


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def load(path, split="train", **options):
    return load_images("arrays", "", split, path, **options)


# ---- .npz files -----------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "keys"),
    [
        ("train", ("images", "labels")),
        ("train", ("train_images", "train_labels")),
        ("test", ("test_images", "test_labels")),
        ("test", ("x_test", "y_test")),
    ],
)
def test_arrays_are_found_by_their_usual_names(tmp_path, pixels, split, keys):
    labels = np.arange(6) % 3
    path = save(tmp_path / "set.npz", **{keys[0]: pixels, keys[1]: labels})
    images = load(path, split)
    np.testing.assert_array_equal(images.rows, pixels)
    np.testing.assert_array_equal(images.labels, labels)
    assert images.labels.dtype == np.int32
    assert images.name == "set"


def test_arrays_without_labels_are_unlabelled(tmp_path, pixels):
    images = load(save(tmp_path / "set.npz", images=pixels))
    np.testing.assert_array_equal(images.labels, [-1] * 6)
    assert not images.labelled


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_class_names_come_with_labels(tmp_path, pixels, dtype):
    path = save(
        tmp_path / "set.npz",
        images=pixels,
        labels=np.arange(6) % 2,
        class_names=np.array(["cat", "dog"], dtype),
    )
    assert load(path).class_names == ("cat", "dog")
    assert load(path, labels="ignore").class_names == ()
    assert not load(path, labels="ignore").labelled


def test_gray_images_need_no_channel_axis(tmp_path, pixels):
    images = load(save(tmp_path / "set.npz", images=pixels[..., 0]))
    np.testing.assert_array_equal(images.rows, pixels[..., :1])


def test_labels_as_a_column_are_accepted(tmp_path, pixels):
    column = np.arange(6)[:, np.newaxis]
    path = save(tmp_path / "set.npz", images=pixels, labels=column)
    np.testing.assert_array_equal(load(path).labels, np.arange(6))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_the_unit_interval_stay_floats(tmp_path, dtype):
    floats = np.array([0, 0.25, 0.5, 1.0], dtype).reshape(1, 2, 2)
    images = load(save(tmp_path / "set.npz", images=floats))
    assert images.rows.dtype == np.float32
    np.testing.assert_array_equal(images.rows.ravel(), [0, 0.25, 0.5, 1.0])


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    values = np.arange(8, dtype=np.uint16).reshape(2, 2, 2) * 9000
    images = load(save(tmp_path / "set.npz", images=values))
    assert images.rows.dtype == np.uint16
    np.testing.assert_array_equal(images.rows[..., 0], values)


def test_more_than_three_channels_are_kept(tmp_path):
    five = np.zeros((2, 4, 4, 5), np.uint8)
    images = load(save(tmp_path / "set.npz", images=five))
    assert images.row_shape == (4, 4, 5)


def test_arrays_are_resized_and_converted_on_request(tmp_path, pixels):
    path = save(tmp_path / "set.npz", images=pixels)
    images = load(path, image_size=8, channels=1)
    assert images.row_shape == (8, 8, 1)
    gray = load(path, channels=1).rows[..., 0]
    expected = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray - expected).max() <= 0.5 + 1e-4


def test_gray_arrays_are_repeated_to_three_channels(tmp_path, pixels):
    path = save(tmp_path / "set.npz", images=pixels[..., 0])
    np.testing.assert_array_equal(
        load(path, channels=3).rows, np.repeat(pixels[..., :1], 3, axis=-1)
    )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.full((2, 3, 3), 2.0)}, r"in \[0, 1\].*2 to 2"),
        ({"images": np.full((2, 3, 3), np.nan)}, r"in \[0, 1\].*nan"),
        ({"images": np.zeros((2, 3, 3), np.int64)}, "uint8.*int64"),
        ({"images": np.zeros((2, 3), np.uint8)}, r"shape \(2, 3\)"),
        ({"images": np.zeros((0, 3, 3), np.uint8)}, r"shape \(0, 3, 3, 1\)"),
        ({"pictures": np.zeros((2, 3, 3), np.uint8)}, "but has pictures"),
        (
            {
                "images": np.zeros((2, 3, 3), np.uint8),
                "labels": np.zeros(3, np.int64),
            },
            r"shape \[2\].*\(3,\)",
        ),
        (
            {
                "images": np.zeros((2, 3, 3), np.uint8),
                "labels": np.eye(2, dtype=np.float32),
            },
            "labels must be integers",
        ),
        (
            {
                "images": np.zeros((2, 3, 3), np.uint8),
                "labels": np.array([0, -2]),
            },
            "or -1 for none",
        ),
        (
            {"images": np.array([[[1]], [[None]]], dtype=object)},
            "cannot read 'images'",
        ),
    ],
)
def test_unsuitable_arrays_are_an_error(tmp_path, arrays, message):
    path = save(tmp_path / "set.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_an_array_without_rows_is_an_error(tmp_path):
    path = save(tmp_path / "set.npz", signals=np.zeros((0, 3)))
    decoder = Decoder({"signal": tf.TensorSpec([3])}, decode=bytes)
    with pytest.raises(ValueError, match="'signals' has no rows"):
        load_arrays(path, "train", decoder)


def test_missing_split_is_an_error_that_names_what_is_there(tmp_path, pixels):
    path = save(tmp_path / "set.npz", train_images=pixels)
    with pytest.raises(ValueError, match=r"no split 'test'.*train_images"):
        load(path, "test")


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        load(str(tmp_path / "missing.npz"))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 torn zip"])
def test_other_files_are_an_error(tmp_path, content):
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not an \.npz file"):
        load(str(path))


def test_impossible_conversion_of_channels_is_an_error(tmp_path):
    path = save(tmp_path / "set.npz", images=np.zeros((2, 4, 4, 5), np.uint8))
    with pytest.raises(ValueError, match="has 5 channels"):
        load(path, channels=3)


# ---- arguments of every source ------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "web"}, "embedded, tfds, folder, arrays.*'web'"),
        ({"labels": "yes"}, "auto, required, ignore.*'yes'"),
        ({"cache": "ram"}, "auto, memory, disk.*'ram'"),
        ({"image_size": 0}, "`image_size` must be at least 1"),
        ({"channels": -1}, "`channels` must be 1 or more, or None"),
        ({"split": ""}, "`split` must not be empty"),
    ],
)
def test_wrong_argument_is_an_error_that_names_the_right_ones(
    arguments, message
):
    arguments = {"source": "embedded", "name": "fashion_mnist", **arguments}
    with pytest.raises(ValueError, match=message):
        load_images(**arguments)


def test_required_labels_that_are_absent_are_an_error(tmp_path, pixels):
    path = save(tmp_path / "set.npz", images=pixels)
    with pytest.raises(ValueError, match="set has no labels"):
        load(path, labels="required")
