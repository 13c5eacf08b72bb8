"""Models whose layers are taken over from others."""

import keras
import numpy as np
import pytest

from byol_tf.layers.graph import sharing
from byol_tf.modalities.image.resnet import make_resnet


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return make_resnet("slim", (8, 8, 3), widths=(8,), blocks=(1,))


def test_a_shared_model_takes_its_own_size_with_the_same_variables(model):
    larger = sharing(model, (12, 12, 3))
    images = np.random.default_rng(0).random((2, 12, 12, 3), np.float32)
    alone = make_resnet("slim", (12, 12, 3), widths=(8,), blocks=(1,))
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1)
    alone.set_weights(model.get_weights())
    np.testing.assert_allclose(larger(images), alone(images), rtol=1e-6)
    assert all(
        a is b for a, b in zip(larger.weights, model.weights, strict=True)
    )


def test_it_keeps_the_channels(model):
    with pytest.raises(ValueError, match="12, 12, 1"):
        sharing(model, (12, 12, 1))
