import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.layers.graph import rebuild
from byol_tf.layers.parameters import (
    copy_frozen,
    copy_state,
    follow_freezing,
    parameters,
    random_twin,
)


def network():
    inputs = keras.Input((3,))
    scale = keras.layers.Normalization(name="scale")
    scale.adapt(np.array([[1.0, 2.0, 3.0], [3.0, 6.0, 9.0]]))
    x = keras.layers.Dense(4, name="stem")(scale(inputs))
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dense(2, name="top")(x)
    return keras.Model(inputs, x)


def texts(mode):
    words = keras.layers.TextVectorization(output_mode=mode)
    words.adapt(["red green", "green blue", "green"])
    inputs = keras.Input((1,), dtype="string")
    return keras.Model(inputs, keras.layers.Dense(2)(words(inputs)))


def names(network):
    return [variable.path for variable in parameters(network)]


def test_what_is_frozen_is_a_parameter_all_the_same():
    model = network()
    before = names(model)
    model.get_layer("stem").trainable = False
    assert names(model) == before
    assert not any("moving" in name or "scale" in name for name in before)


def test_asking_for_the_parameters_changes_nothing():
    model = network()
    model.get_layer("stem").trainable = False
    flags = [weight.trainable for weight in model.weights]
    parameters(model)
    assert [weight.trainable for weight in model.weights] == flags
    assert not model.get_layer("stem").trainable
    assert model.get_layer("top").trainable


def test_a_twin_is_random_but_for_the_constants_of_the_data():
    model = network()
    model.get_layer("norm").moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    twin = random_twin(model)
    x = np.array([[2.0, 4.0, 6.0]])
    np.testing.assert_array_equal(
        twin.get_layer("scale")(x), model.get_layer("scale")(x)
    )
    assert np.any(
        twin.get_layer("stem").kernel != model.get_layer("stem").kernel
    )
    np.testing.assert_array_equal(twin.get_layer("norm").moving_mean, 0.0)


def test_a_constant_of_a_layer_of_ones_own_is_copied():
    @keras.saving.register_keras_serializable("test_parameters")
    class Shift(keras.layers.Layer):
        def build(self, shape):
            self.by = self.add_weight(shape=(3,), trainable=False, name="by")

        def call(self, inputs):
            return inputs + self.by

    model = keras.Sequential([keras.Input((3,)), Shift()])
    model.layers[0].by.assign([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(random_twin(model).weights[0], [1, 2, 3])


@pytest.mark.parametrize("mode", ["multi_hot", "tf_idf"])
@pytest.mark.parametrize("copy", [random_twin, rebuild])
def test_vocabularies_and_their_weights_are_copied(copy, mode):
    model = texts(mode)
    text = tf.constant([["green red"]])
    np.testing.assert_array_equal(
        copy(model).layers[1](text), model.layers[1](text)
    )


def test_a_copy_has_all_weights():
    model = network()
    model.get_layer("norm").moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    twin = random_twin(model)
    copy_state(model, twin)
    for one, two in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_frozen_layer_is_copied_with_its_statistics():
    model = network()
    twin = random_twin(model)
    frozen, free = model.get_layer("norm"), model.get_layer("top")
    frozen.moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    frozen.trainable = False
    copy_frozen(model, twin)
    follow_freezing(model, twin)
    np.testing.assert_array_equal(
        twin.get_layer("norm").moving_mean, frozen.moving_mean
    )
    assert np.any(twin.get_layer("top").kernel != free.kernel)
    assert [x.trainable for x in twin.layers] == [
        x.trainable for x in model.layers
    ]
