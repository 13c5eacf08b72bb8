import numpy as np
import pytest
import tensorflow as tf

from byol_tf.losses.objectives import byol_loss, l2_normalize, regression_loss


def vectors(seed, shape=(5, 7)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_regression_loss_is_two_minus_two_cosines():
    p, z = vectors(0), vectors(1)
    cosine = (p * z).sum(1) / np.linalg.norm(p, axis=1)
    cosine /= np.linalg.norm(z, axis=1)
    np.testing.assert_allclose(regression_loss(p, z), 2 - 2 * cosine, rtol=1e-5)


@pytest.mark.parametrize("sign,expected", [(1, 0.0), (-1, 4.0)])
def test_regression_loss_of_parallel_and_opposite(sign, expected):
    p = vectors(0)
    np.testing.assert_allclose(
        regression_loss(p, sign * 3 * p), expected, atol=1e-5
    )


def test_byol_loss_is_the_sum_of_both_directions():
    p1, p2, z1, z2 = (vectors(seed) for seed in range(4))
    expected = np.mean(regression_loss(p1, z2) + regression_loss(p2, z1))
    np.testing.assert_allclose(byol_loss(p1, p2, z1, z2), expected, rtol=1e-6)


def test_byol_loss_ignores_the_lengths_of_vectors():
    p1, p2, z1, z2 = (vectors(seed) for seed in range(4))
    scaled = byol_loss(2 * p1, 0.1 * p2, 30 * z1, 5 * z2)
    np.testing.assert_allclose(scaled, byol_loss(p1, p2, z1, z2), rtol=1e-5)


def test_byol_loss_has_no_gradient_to_the_target():
    p1, p2, z1, z2 = (tf.constant(vectors(seed)) for seed in range(4))
    with tf.GradientTape() as tape:
        tape.watch((p1, z1, z2))
        loss = byol_loss(p1, p2, z1, z2)
    to_online, to_z1, to_z2 = tape.gradient(loss, (p1, z1, z2))
    assert to_z1 is None and to_z2 is None
    assert np.abs(to_online).max() > 0


def test_a_zero_vector_stays_finite():
    assert np.all(l2_normalize(np.zeros((2, 3), np.float32)).numpy() == 0)
