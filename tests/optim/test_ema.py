import keras
import numpy as np
import pytest

from byol_tf.optim import ema


def variables(*values):
    return [keras.Variable(np.float32(value)) for value in values]


@pytest.mark.parametrize("tau", [0.0, 0.25, 1.0])
def test_average_moves_by_one_minus_tau(tau):
    average, source = variables([1, 2], 3), variables([5, -2], 7)
    ema.update_average(average, source, tau)
    np.testing.assert_allclose(
        average[0].numpy(),
        tau * np.array([1, 2]) + (1 - tau) * np.array([5, -2]),
    )
    np.testing.assert_allclose(average[1].numpy(), tau * 3 + (1 - tau) * 7)


def test_source_stays():
    average, source = variables(1), variables(5)
    ema.update_average(average, source, 0.5)
    assert (average[0].numpy(), source[0].numpy()) == (3, 5)


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        ema.update_average(variables(1, 2), variables(1), 0.5)
