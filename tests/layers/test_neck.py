"""Levels become one fine map."""

import keras
import numpy as np
import pytest

from byol_tf.layers.neck import (
    dense_levels,
    neck,
    peaks_head,
    with_coordinates,
)


def test_the_result_is_as_fine_as_the_finest_level():
    inputs = {
        "P4": keras.Input((2, 3, 16)),
        "P2": keras.Input((8, 12, 4)),
        "P3": keras.Input((4, 6, 8)),
    }
    maps = neck(inputs)
    assert maps.shape == (None, 8, 12, 64)
    model = keras.Model(inputs, peaks_head(maps, 5, "heat"))
    levels = {
        name: np.random.default_rng(0).normal(size=(2, *one.shape[1:]))
        for name, one in inputs.items()
    }
    before = model(levels)
    np.testing.assert_allclose(keras.ops.sigmoid(before), 0.01, rtol=0.5)
    # A place of the coarsest level is seen at its own place alone.
    levels["P4"] = levels["P4"].copy()
    levels["P4"][:, 0, 0] = 50
    changed = np.abs(model(levels) - before).max(axis=(0, 3))
    assert changed[:4, :4].min() > 0


def test_levels_that_do_not_fit_each_other_are_refused():
    inputs = {"P3": keras.Input((13, 13, 8)), "P4": keras.Input((7, 7, 16))}
    with pytest.raises(ValueError, match=r"13x13 and 7x7 .*multiple of 32"):
        neck(inputs)


def test_each_cell_is_given_its_place():
    maps = np.ones((2, 3, 5, 4), np.float32)
    found = np.asarray(with_coordinates(maps))
    np.testing.assert_array_equal(found[..., :4], maps)
    np.testing.assert_allclose(found[1, 0, :, 4], [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_allclose(found[0, :, 2, 5], [-1, 0, 1])


@pytest.mark.parametrize(
    ("levels", "chosen"),
    [
        ({"P2": 4, "P3": 8, "P4": 16}, ("P2", "P3", "P4")),
        ({"P1": 2, "P2": 4, "P3": 8}, ("P2", "P3")),
        ({"P1": 2}, ("P1",)),
        ({"P4": 16, "P3": 8}, ("P3", "P4")),
    ],
)
def test_levels_are_chosen_by_their_strides(levels, chosen):
    assert dense_levels(levels) == chosen


@pytest.mark.parametrize("levels", [{}, {"P4": 16, "P5": 32}])
def test_too_coarse_levels_are_an_error(levels):
    with pytest.raises(ValueError, match="a level of stride 8 or finer"):
        dense_levels(levels)
