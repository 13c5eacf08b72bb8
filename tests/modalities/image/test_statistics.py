"""What the recipes do to many images: probabilities, ranges, independence.

Every image shows what was done to it, so these tests see the draws from
outside. Seeds are fixed; the bounds are about four standard deviations.
"""

import colorsys
import itertools

import numpy as np
import pytest
import scipy.stats

from byol_tf.modalities.image import ops
from byol_tf.modalities.image.views import TwoViews, View
from tests.support.reference_augment import OFF

COUNT = 4000
SEED = np.array([11, 12], np.int32)
P_VALUE = 1e-4
STILL = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}


def many(image):
    image = np.float32(image)
    return np.broadcast_to(image, [COUNT, *image.shape])


def seen(image, **recipe):
    """Views of many copies of an image."""
    return View(**{**OFF, **recipe})(many(image), seed=SEED).numpy()


def random_image(size=4):
    return np.random.default_rng(0).random([size, size, 3]) * 0.5 + 0.25


def assert_probability(happened, probability):
    deviation = np.sqrt(probability * (1 - probability) / len(happened))
    assert abs(np.mean(happened) - probability) < 4 * deviation + 1e-12


def assert_uniform(draws, low, high):
    # A little beyond the range, for float32 rounding.
    assert draws.min() > low - 1e-5 and draws.max() < high + 1e-5
    test = scipy.stats.kstest(draws, "uniform", (low, high - low))
    assert test.pvalue > P_VALUE


# ---- probabilities ----------------------------------------------------


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    "operation", ["flip", "jitter", "grayscale", "blur", "solarize"]
)
def test_operation_happens_with_its_probability(operation, probability):
    image = random_image()
    recipe = {operation: probability, "blur_divider": 1.0}
    if operation == "blur":
        recipe["blur_sigma"] = (1.0, 2.0)
    views = seen(image, **recipe)
    change = np.abs(views - np.float32(image)).max(axis=(1, 2, 3))
    happened = change > 1e-4
    assert_probability(happened, probability)
    assert np.all(change[~happened] < 1e-6)


def test_operations_happen_independently():
    # Above, a colour beside a dark gray; below, a bright gray.
    image = np.full([2, 2, 3], 0.15)
    image[0, 0] = [0.45, 0.3, 0.4]
    image[1] = 0.8
    probabilities = {"flip": 0.5, "jitter": 0.5, "grayscale": 0.5}
    brightness = {**STILL, "brightness": 0.1}
    views = seen(image, **probabilities, **brightness, solarize=0.5)
    above, below = views[:, 0], views[:, 1]
    happened = np.stack(
        [
            above[:, 1].sum(axis=-1) > above[:, 0].sum(axis=-1),
            np.abs(above.min(axis=(1, 2)) - 0.15) > 1e-4,
            np.ptp(above, axis=-1).max(axis=1) < 1e-6,
            below[:, 0, 0] < 0.5,
        ]
    )
    for row in happened:
        assert_probability(row, 0.5)
    correlations = np.corrcoef(happened) - np.eye(4)
    assert np.abs(correlations).max() < 4 / np.sqrt(COUNT)


# ---- ranges -----------------------------------------------------------


def test_brightness_is_uniform_in_its_range():
    image = np.full([2, 2, 3], 0.5)
    recipe = {**STILL, "jitter": 1.0, "brightness": 0.4}
    assert_uniform(seen(image, **recipe)[:, 0, 0, 0] - 0.5, -0.4, 0.4)


def test_contrast_is_uniform_in_its_range():
    image = np.full([2, 2, 3], 0.4)
    image[0] = 0.6
    recipe = {**STILL, "jitter": 1.0, "contrast": 0.4}
    views = seen(image, **recipe)
    factor = (views[:, 0, 0, 0] - views[:, 1, 0, 0]) / 0.2
    assert_uniform(factor, 0.6, 1.4)


def hsv(views):
    return np.array([colorsys.rgb_to_hsv(*view[0, 0]) for view in views])


def test_saturation_is_uniform_in_its_range():
    image = np.broadcast_to(colorsys.hsv_to_rgb(0.3, 0.5, 0.8), [2, 2, 3])
    recipe = {**STILL, "jitter": 1.0, "saturation": 0.2}
    assert_uniform(hsv(seen(image, **recipe))[:, 1] / 0.5, 0.8, 1.2)


def test_hue_is_uniform_in_its_range():
    image = np.broadcast_to(colorsys.hsv_to_rgb(0.3, 0.5, 0.8), [2, 2, 3])
    recipe = {**STILL, "jitter": 1.0, "hue": 0.1}
    assert_uniform(hsv(seen(image, **recipe))[:, 0] - 0.3, -0.1, 0.1)


def test_blur_sigma_is_uniform_in_its_range_for_every_image():
    image = np.zeros([5, 5, 3])
    image[2, 2] = 1.0
    recipe = {"blur": 1.0, "blur_sigma": (0.3, 2.0), "blur_divider": 1.0}
    views = seen(image, **recipe).astype(np.float64)
    ratio = views[:, 2, 3, 0] / views[:, 2, 2, 0]
    assert_uniform(np.sqrt(-0.5 / np.log(ratio)), 0.3, 2.0)


def test_blur_reaches_as_far_as_its_divider_says():
    image = np.zeros([40, 40, 1])
    image[20, 20] = 1.0
    view = View(**{**OFF, "blur": 1.0, "blur_sigma": (2.0, 2.0)})
    blurred = view(image[None].astype(np.float32), seed=SEED).numpy()[0]
    rows = np.flatnonzero(blurred.max(axis=(1, 2)))
    np.testing.assert_array_equal(rows, [18, 19, 20, 21, 22])


def test_rotation_angle_is_uniform_in_its_range():
    # The centre of mass of a dot turns about the centre of the image.
    image = np.zeros([21, 21, 1])
    image[10, 15] = 1.0
    views = seen(image, rotate=40.0)[..., 0]
    total = views.sum(axis=(1, 2))
    offsets = np.arange(21) - 10
    x = (views.sum(axis=1) * offsets).sum(axis=1) / total
    y = (views.sum(axis=2) * offsets).sum(axis=1) / total
    angles = np.degrees(np.arctan2(-y, x))
    test = scipy.stats.kstest(angles, "uniform", (-40, 80))
    assert np.abs(angles).max() < 41 and test.statistic < 0.03


def test_crops_reach_every_part_of_the_image():
    # Columns and rows of their own value: a crop of one pixel tells where.
    y, x = np.mgrid[0:6, 0:6]
    image = np.stack([y, x, 0 * x], axis=-1) / 8
    one_pixel = 1 / 36
    views = seen(image, size=1, area=(one_pixel, one_pixel))
    places = np.round(views[:, 0, 0, :2] * 8).astype(int)
    counts, *_ = np.histogram2d(*places.T, [np.arange(7)] * 2)
    assert scipy.stats.chisquare(counts.ravel()).pvalue > P_VALUE


def test_jitter_takes_all_orders_equally_often(monkeypatch):
    taken = []

    def spy(images, *parameters):
        taken.append(parameters[-1].numpy())
        return images

    monkeypatch.setattr(ops, "color_jitter", spy)
    seen(random_image(1), jitter=1.0)
    orders = list(itertools.permutations(range(4)))
    counts = [np.all(taken[0] == order, axis=1).sum() for order in orders]
    assert sum(counts) == COUNT
    assert scipy.stats.chisquare(counts).pvalue > P_VALUE


# ---- independence -----------------------------------------------------


def brightness_of(views):
    return np.asarray(views)[:, 0, 0, 0] - 0.5


def assert_uncorrelated(first, second):
    correlation = np.corrcoef(first, second)[0, 1]
    assert abs(correlation) < 4 / np.sqrt(len(first))


def jitter_only():
    return View(**{**OFF, **STILL, "jitter": 1.0, "brightness": 0.4})


def test_neighbouring_images_are_independent():
    draws = brightness_of(jitter_only()(many(np.full([1, 1, 3], 0.5)), SEED))
    assert_uncorrelated(draws[1:], draws[:-1])


def test_the_two_views_of_an_image_are_independent():
    views = TwoViews(jitter_only(), jitter_only(), jit_compile=False)
    first, second = map(
        brightness_of, views(many(np.full([1, 1, 3], 0.5)), SEED)
    )
    assert_uniform(first, -0.4, 0.4)
    assert_uniform(second, -0.4, 0.4)
    assert_uncorrelated(first, second)
    assert not np.any(first == second)


def test_the_views_of_consecutive_seeds_are_independent():
    images = many(np.full([1, 1, 3], 0.5))
    first = brightness_of(jitter_only()(images, SEED))
    second = brightness_of(jitter_only()(images, SEED + np.array([0, 1])))
    assert_uncorrelated(first, second)
