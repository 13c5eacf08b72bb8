"""The losses of all methods: NumPy references and known limits."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.losses.contrastive import info_nce, nt_xent, triplet_semi_hard
from byol_tf.losses.decorrelation import barlow_twins, vicreg
from byol_tf.losses.objectives import negative_cosine

N, DIM = 8, 4
TEMPERATURE = 0.3
# Name: the loss, and how many matrices it takes.
LOSSES = {
    "nt_xent": (nt_xent, 2),
    "info_nce": (info_nce, 4),
    "triplet_semi_hard": (triplet_semi_hard, 2),
    "negative_cosine": (negative_cosine, 4),
    "barlow_twins": (barlow_twins, 2),
    "vicreg": (vicreg, 2),
}
EACH = pytest.mark.parametrize("loss,count", LOSSES.values(), ids=LOSSES)


def vectors(seed, shape=(N, DIM)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def matrices(count):
    return [vectors(seed) for seed in range(count)]


def hadamard():
    """Eight rows of four uncorrelated units of mean 0 and variance 1."""
    signs = np.array([[1.0]])
    for _ in range(3):
        signs = np.block([[signs, signs], [signs, -signs]])
    return signs[:, 1 : DIM + 1].astype(np.float32)


def cosines(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return a @ b.T


def test_nt_xent_is_the_cross_entropy_of_the_other_view():
    first, second = matrices(2)
    both = np.concatenate([first, second]).astype(np.float64)
    similarities = np.exp(cosines(both, both) / TEMPERATURE)
    expected = 0.0
    for i in range(2 * N):
        others = [similarities[i, j] for j in range(2 * N) if j != i]
        positive = similarities[i, (i + N) % (2 * N)]
        expected -= np.log(positive / sum(others)) / (2 * N)
    ours = nt_xent(first, second, TEMPERATURE)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_nt_xent_of_equal_views_of_orthogonal_images():
    images = np.eye(N, dtype=np.float32)
    expected = np.log(1 + (2 * N - 2) * np.exp(-1 / TEMPERATURE))
    ours = nt_xent(images, 3 * images, TEMPERATURE)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_nt_xent_of_a_collapse_is_that_of_a_guess():
    same = np.ones((N, DIM), np.float32)
    np.testing.assert_allclose(
        nt_xent(same, same, TEMPERATURE), np.log(2 * N - 1), rtol=1e-5
    )


def test_info_nce_is_the_cross_entropy_of_the_others_key():
    q1, q2, k1, k2 = (m.astype(np.float64) for m in matrices(4))
    expected = 0.0
    for queries, keys in ((q1, k2), (q2, k1)):
        shares = np.exp(cosines(queries, keys) / TEMPERATURE)
        shares /= shares.sum(axis=1, keepdims=True)
        expected -= 2 * TEMPERATURE * np.log(np.diag(shares)).mean()
    ours = info_nce(*matrices(4), TEMPERATURE)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_info_nce_of_equal_views_of_orthogonal_images():
    images = np.eye(N, dtype=np.float32)
    expected = np.log(1 + (N - 1) * np.exp(-1 / TEMPERATURE))
    np.testing.assert_allclose(
        info_nce(images, images, images, images, TEMPERATURE),
        4 * TEMPERATURE * expected,
        rtol=1e-5,
    )


def test_info_nce_of_a_collapse_is_that_of_a_guess():
    same = [np.ones((N, DIM), np.float32)] * 4
    np.testing.assert_allclose(
        info_nce(*same, TEMPERATURE), 4 * TEMPERATURE * np.log(N), rtol=1e-5
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_triplet_loss_takes_the_nearest_negative_beyond(seed):
    anchors, others = vectors(seed), vectors(seed + 10)
    distances = 2 - 2 * cosines(anchors, others).astype(np.float64)
    losses = []
    for i in range(N):
        negatives = [distances[i, j] for j in range(N) if j != i]
        beyond = [d for d in negatives if d > distances[i, i]]
        negative = min(beyond) if beyond else max(negatives)
        losses.append(max(distances[i, i] - negative + 0.5, 0.0))
    ours = triplet_semi_hard(anchors, others, 0.5)
    np.testing.assert_allclose(ours, np.mean(losses), rtol=1e-5)


def test_the_triplet_loss_without_a_negative_beyond_takes_the_farthest():
    # By angle: the positive lies opposite, both negatives nearer.
    def unit(degrees):
        radians = np.deg2rad(degrees)
        return np.stack([np.cos(radians), np.sin(radians)], 1).astype("f")

    anchors, others = unit([0.0, 0.0, 0.0]), unit([180.0, 60.0, 90.0])
    # Squared distances to the others: 4, 1 and 2.
    expected = ((4 - 2 + 0.5) + max(1 - 2 + 0.5, 0) + max(2 - 4 + 0.5, 0)) / 3
    np.testing.assert_allclose(
        triplet_semi_hard(anchors, others, 0.5), expected, rtol=1e-5
    )


def test_the_triplet_loss_of_equal_views_of_orthogonal_images_is_zero():
    images = np.eye(N, dtype=np.float32)
    np.testing.assert_allclose(triplet_semi_hard(images, images), 0, atol=1e-6)


def test_the_triplet_loss_of_a_collapse_is_the_margin():
    same = np.ones((N, DIM), np.float32)
    np.testing.assert_allclose(
        triplet_semi_hard(same, same, 0.3), 0.3, rtol=1e-5
    )


def test_negative_cosine_is_the_mean_of_both_directions():
    p1, p2, z1, z2 = matrices(4)
    expected = -np.diag(cosines(p1, z2)).mean() / 2
    expected -= np.diag(cosines(p2, z1)).mean() / 2
    np.testing.assert_allclose(
        negative_cosine(p1, p2, z1, z2), expected, rtol=1e-4
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_negative_cosine_of_parallel_and_opposite(sign):
    p = vectors(0)
    ours = negative_cosine(p, p, sign * 3 * p, sign * p)
    np.testing.assert_allclose(ours, -sign, rtol=1e-5)


def test_barlow_twins_is_the_distance_of_the_correlation_to_identity():
    first, second = (20 * m for m in matrices(2))
    correlation = np.corrcoef(first.T, second.T)[:DIM, DIM:]
    squares = (correlation - np.eye(DIM)) ** 2
    expected = np.trace(squares)
    expected += 0.1 * (squares.sum() - np.trace(squares))
    np.testing.assert_allclose(
        barlow_twins(first, second, 0.1), expected, rtol=1e-4
    )


def test_barlow_twins_of_equal_uncorrelated_units_is_zero():
    units = hadamard()
    np.testing.assert_allclose(barlow_twins(units, 5 * units + 1), 0, atol=1e-6)


def test_barlow_twins_of_one_unit_many_times():
    units = np.repeat(vectors(0, (N, 1)), DIM, axis=1)
    np.testing.assert_allclose(
        barlow_twins(units, units, 0.1), 0.1 * DIM * (DIM - 1), rtol=1e-3
    )


def test_barlow_twins_of_a_collapse_is_the_number_of_units():
    same = np.ones((N, DIM), np.float32)
    np.testing.assert_allclose(barlow_twins(same, same), DIM, rtol=1e-5)


def test_vicreg_is_the_weighted_sum_of_three_terms():
    first, second = vectors(0), 0.3 * vectors(1)
    expected = 2.0 * ((first - second) ** 2).mean()
    for units in (first.astype(np.float64), second.astype(np.float64)):
        deviation = np.sqrt(units.var(axis=0, ddof=1) + 1e-4)
        expected += 3.0 * np.maximum(1 - deviation, 0).mean()
        covariance = np.cov(units.T)
        off = covariance - np.diag(np.diag(covariance))
        expected += 5.0 * (off**2).sum() / DIM
    np.testing.assert_allclose(
        vicreg(first, second, 2.0, 3.0, 5.0), expected, rtol=1e-4
    )


def test_vicreg_of_equal_uncorrelated_varying_units_is_zero():
    units = hadamard()
    np.testing.assert_allclose(vicreg(units, units), 0, atol=1e-6)


def test_vicreg_of_a_collapse_is_what_the_deviations_lack():
    same = np.ones((N, DIM), np.float32)
    np.testing.assert_allclose(
        vicreg(same, same, variance=10.0), 19.8, rtol=1e-5
    )


@EACH
def test_a_loss_is_computed_in_float32(loss, count):
    halves = [tf.cast(m, tf.bfloat16) for m in matrices(count)]
    ours = loss(*halves)
    assert ours.dtype == tf.float32
    exact = loss(*(tf.cast(m, tf.float32) for m in halves))
    np.testing.assert_allclose(ours, exact, rtol=1e-6)


@EACH
def test_a_loss_compiles_with_xla(loss, count):
    compiled = tf.function(loss, jit_compile=True)
    given = matrices(count)
    np.testing.assert_allclose(compiled(*given), loss(*given), rtol=1e-5)


@EACH
def test_the_order_of_the_images_does_not_matter(loss, count):
    turned = [m[::-1] for m in matrices(count)]
    np.testing.assert_allclose(loss(*turned), loss(*matrices(count)), rtol=1e-5)


@EACH
def test_gradients_are_finite_even_of_a_collapse(loss, count):
    same = [tf.zeros((N, DIM))] * count
    with tf.GradientTape() as tape:
        tape.watch(same[0])
        value = loss(*same)
    assert np.isfinite(value)
    assert np.all(np.isfinite(tape.gradient(value, same[0])))


@pytest.mark.parametrize("loss", [info_nce, negative_cosine])
def test_no_gradient_reaches_what_is_compared_with(loss):
    outputs = [tf.constant(m) for m in matrices(4)]
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        value = loss(*outputs)
    gradients = tape.gradient(value, outputs)
    assert gradients[2] is None and gradients[3] is None
    assert min(np.abs(g).max() for g in gradients[:2]) > 0


@pytest.mark.parametrize(
    "loss", [nt_xent, triplet_semi_hard, barlow_twins, vicreg]
)
def test_gradients_reach_both_views(loss):
    views = [tf.constant(m) for m in matrices(2)]
    with tf.GradientTape() as tape:
        tape.watch(views)
        value = loss(*views)
    assert min(np.abs(g).max() for g in tape.gradient(value, views)) > 0
