"""The draws: their distributions, and that compiling changes none."""

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from byol_tf.modalities.image import sampling
from byol_tf.seeds import step_seed

SEED = np.array([20, 7], np.int32)
# With fixed seeds these are no chances of failure: they say how far from what
# is expected the draws may lie, about four standard deviations.
SIGMAS = 4.0
P_VALUE = 1e-4


def uniform(seed, shape, low=0.0, high=1.0):
    return sampling.between(sampling.fractions(seed, shape), low, high)


def permutations(seed, batch, n):
    return sampling.ranking(sampling.fractions(seed, [batch, n]))


def crop_boxes(seed, batch, *sizes, **ranges):
    return sampling.boxes(
        sampling.fractions(seed, [batch, 4]), *sizes, **ranges
    )


def two_ways(function, *arguments):
    """The result in a graph and under XLA."""
    for jit_compile in (False, True):
        compiled = tf.function(function, jit_compile=jit_compile)
        yield tf.nest.map_structure(np.asarray, compiled(*arguments))


@pytest.mark.parametrize(
    "draw",
    [
        # Rounding that depends on the compiler shows in this range.
        lambda seed: uniform(seed, [50000], 0.1, 2.0),
        lambda seed: sampling.fractions(seed, [1000]) < 0.3,
        lambda seed: permutations(seed, 1000, 4),
        lambda seed: crop_boxes(seed, 4000, 224, 225),
        lambda seed: sampling.split(seed, 5),
        lambda seed: step_seed(7, seed[0]),
    ],
    ids=["uniform", "bernoulli", "permutations", "boxes", "split", "step"],
)
def test_draws_are_identical_bit_by_bit_however_they_run(draw):
    eager = tf.nest.map_structure(np.asarray, draw(tf.constant(SEED)))
    for other in two_ways(draw, tf.constant(SEED)):
        tf.nest.map_structure(np.testing.assert_array_equal, other, eager)


def test_a_step_seed_takes_a_step_variable_under_xla():
    step = tf.Variable(5, dtype=tf.int64)
    expected = step_seed(20, 5)
    for folded in two_ways(lambda: step_seed(20, step)):
        np.testing.assert_array_equal(folded, expected)


def test_seeds_differ():
    seeds = [*sampling.split(SEED, 4), SEED]
    seeds += [step_seed(20, step) for step in range(4)]
    assert len({tuple(np.asarray(seed)) for seed in seeds}) == 9


def test_the_same_seed_draws_the_same_and_another_differently():
    first = sampling.fractions(SEED, [100]).numpy()
    np.testing.assert_array_equal(sampling.fractions(SEED, [100]), first)
    assert not np.any(sampling.fractions(SEED + 1, [100]).numpy() == first)


@pytest.mark.parametrize("low,high", [(0.0, 1.0), (-0.4, 0.4), (0.1, 2.0)])
def test_uniform_is_uniform(low, high):
    draws = uniform(SEED, [20000], low, high).numpy()
    assert draws.dtype == np.float32
    assert draws.min() >= np.float32(low) and draws.max() <= np.float32(high)
    test = scipy.stats.kstest(draws, "uniform", (low, high - low))
    assert test.pvalue > P_VALUE


def test_uniform_images_are_independent():
    draws = sampling.fractions(SEED, [20000, 6]).numpy()
    lagged = np.concatenate([draws[1:], draws[:-1]], axis=1)
    correlations = np.corrcoef(lagged.T) - np.eye(12)
    assert np.abs(correlations).max() < (SIGMAS + 1) / np.sqrt(len(lagged))


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_what_is_drawn_has_its_probability(probability):
    draws = (sampling.fractions(SEED, [20000]) < probability).numpy()
    deviation = np.sqrt(probability * (1 - probability) / len(draws))
    assert abs(draws.mean() - probability) < SIGMAS * deviation


def test_what_is_drawn_is_certain_at_the_ends():
    assert np.all(sampling.fractions(SEED, [20000]) < 1.0)
    assert not np.any(sampling.fractions(SEED, [20000]) < 0.0)


def test_all_permutations_are_equally_likely():
    draws = permutations(SEED, 24000, 4).numpy()
    orders = list(itertools.permutations(range(4)))
    counts = [np.sum(np.all(draws == order, axis=1)) for order in orders]
    assert sum(counts) == len(draws)
    assert scipy.stats.chisquare(counts).pvalue > P_VALUE


def boxes(count, height, width, **ranges):
    box = crop_boxes(SEED, count, height, width, **ranges)
    return np.stack(box).astype(int)


@pytest.mark.parametrize("height,width", [(32, 32), (5, 9), (1, 1), (3, 200)])
def test_boxes_are_whole_pixels_inside_the_image(height, width):
    box = crop_boxes(SEED, 5000, height, width, (0.01, 1.0), (0.1, 9))
    for side in box:
        assert side.dtype == tf.float32 and side.shape == [5000]
        np.testing.assert_array_equal(side, np.round(side))
    top, left, rows, columns = np.stack(box)
    assert top.min() >= 0 and left.min() >= 0
    assert rows.min() >= 1 and columns.min() >= 1
    assert np.max(top + rows) <= height and np.max(left + columns) <= width


def test_box_area_is_uniform_where_nothing_is_cut():
    # Large, so that rounding to pixels does not show.
    _, _, rows, columns = boxes(10000, 4000, 3000, area=(0.08, 0.5))
    share = rows * columns / (4000 * 3000)
    test = scipy.stats.kstest(share, "uniform", (0.08, 0.42))
    assert test.pvalue > P_VALUE


def test_box_aspect_is_log_uniform_where_nothing_is_cut():
    _, _, rows, columns = boxes(10000, 3000, 3000, area=(0.08, 0.5))
    low, high = np.log(3 / 4), np.log(4 / 3)
    ratio = np.log(columns / rows)
    test = scipy.stats.kstest(ratio, "uniform", (low, high - low))
    assert test.pvalue > P_VALUE


def test_box_area_and_aspect_are_independent():
    _, _, rows, columns = boxes(10000, 3000, 3000, area=(0.08, 0.5))
    correlation = np.corrcoef(rows * columns, np.log(columns / rows))[0, 1]
    assert abs(correlation) < SIGMAS / np.sqrt(10000)


def test_box_of_given_area_and_aspect_has_the_rounded_sides():
    _, _, rows, columns = boxes(50, 40, 50, area=(0.3, 0.3), aspect=(1.3, 1.3))
    assert set(columns) == {round(np.sqrt(0.3 * 40 * 50 * 1.3))}
    assert set(rows) == {round(np.sqrt(0.3 * 40 * 50 / 1.3))}


def test_box_side_longer_than_the_image_is_cut_to_it():
    _, _, rows, columns = boxes(50, 10, 1000, area=(0.5, 0.5), aspect=(1, 1))
    assert set(rows) == {10} and set(columns) == {71}


def test_box_position_is_uniform_over_all_that_fit():
    top, left, rows, columns = boxes(
        9000, 8, 9, area=(25 / 72, 25 / 72), aspect=(1, 1)
    )
    assert set(rows) == set(columns) == {5}
    counts, *_ = np.histogram2d(top, left, [np.arange(5), np.arange(6)])
    assert counts.sum() == 9000
    assert scipy.stats.chisquare(counts.ravel()).pvalue > P_VALUE


def test_draws_of_later_operations_leave_those_before_as_they_were():
    numbers = sampling.random_numbers(5, SEED)
    np.testing.assert_array_equal(
        numbers[:, :19], sampling.fractions(SEED, [5, 19])
    )
    assert len(np.unique(numbers)) == numbers.shape[0] * numbers.shape[1]
