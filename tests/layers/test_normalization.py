"""Normalised pixels against Keras's layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.layers.normalization import Normalization


def both(channels, dtype="float32"):
    options = {
        "mean": [0.5, 0.4, 0.3][:channels],
        "variance": [0.06, 0.07, 0.08][:channels],
        "dtype": dtype,
    }
    return Normalization(**options), keras.layers.Normalization(**options)


def some(channels):
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(size=(2, 5, 7, channels)), tf.float32)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_value_is_that_of_keras(channels, dtype):
    ours, theirs = both(channels, dtype)
    images = some(channels)
    values = ours(images)
    assert values.dtype == theirs(images).dtype
    np.testing.assert_array_equal(values, theirs(images))


@pytest.mark.parametrize(
    "shape", [[None, 5, 7, 3], [None, None, None, 3], [2, None, 7, 3]]
)
def test_shapes_need_not_be_known(shape):
    ours, theirs = both(3)
    ours.build(shape)
    call = tf.function(ours, input_signature=[tf.TensorSpec(shape)])
    np.testing.assert_array_equal(call(some(3)), theirs(some(3)))


def test_what_is_known_of_the_shape_is_kept():
    symbolic = both(3)[0](keras.Input((5, 7, 3)))
    assert symbolic.shape == (None, 5, 7, 3)
    spec = tf.TensorSpec([4, 5, 7, 3])
    call = tf.function(both(3)[0]).get_concrete_function(spec)
    assert call.output_shapes == spec.shape


def test_no_image_is_none():
    ours, _ = both(3)
    assert ours(some(3)[:0]).shape == (0, 5, 7, 3)


def test_it_is_made_again_from_its_config():
    ours, _ = both(3)
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(ours)
    )
    assert type(twin) is Normalization
    np.testing.assert_array_equal(twin(some(3)), ours(some(3)))
