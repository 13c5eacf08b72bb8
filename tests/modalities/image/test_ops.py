"""The colour operations and the blur, against NumPy and SciPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image import ops
from tests.support import reference_augment as reference

ORDERS = np.array(list(itertools.permutations(range(4))), np.int32)
# Where HSV has corners: gray, black, white, primaries, two equal channels.
CORNERS = [
    *([0, 0, 0], [1, 1, 1], [0.4, 0.4, 0.4], [1, 0, 0], [0, 1, 0], [0, 0, 1]),
    *([1, 1, 0], [0, 1, 1], [1, 0, 1], [0.7, 0.7, 0.2], [0.3, 0.9, 0.9]),
    *([0.5, 0.1, 0.5], [1, 0.999, 0], [0.2, 0.2, 0.20001], [1e-6, 0, 0]),
]


def some_images(batch=6, height=7, width=9, channels=3, seed=0):
    generator = np.random.default_rng(seed)
    images = generator.random([batch, height, width, channels], np.float32)
    if channels == 3:
        images.reshape(batch, -1, 3)[:, : len(CORNERS)] = CORNERS
    return images


def some_parameters(low, high, batch=6, seed=1):
    generator = np.random.default_rng(seed)
    return generator.uniform(low, high, batch).astype(np.float32)


RANGES = {
    "adjust_brightness": (-0.7, 0.7),
    "adjust_contrast": (0.0, 2.0),
    "adjust_saturation": (0.0, 3.0),
    "adjust_hue": (-1.5, 1.5),
    "solarize": (0.0, 1.0),
}


@pytest.mark.parametrize("name", RANGES)
def test_operation_equals_reference_image_by_image(name):
    images, parameters = some_images(), some_parameters(*RANGES[name])
    ours = getattr(ops, name)(images, parameters)
    operation = getattr(reference, name)
    theirs = [operation(*pair) for pair in zip(images, parameters, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize(
    "name", ["adjust_brightness", "adjust_contrast", "solarize"]
)
def test_operation_without_colours_takes_any_number_of_channels(name):
    images = some_images(channels=5)
    parameters = some_parameters(*RANGES[name])
    ours = getattr(ops, name)(images, parameters)
    operation = getattr(reference, name)
    theirs = [operation(*pair) for pair in zip(images, parameters, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_grayscale_equals_reference():
    images = some_images()
    np.testing.assert_allclose(
        ops.to_grayscale(images),
        [reference.to_grayscale(image) for image in images],
        atol=1e-6,
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel_size,radius", [(2.4, 1), (3.2, 1), (7.9, 3)])
def test_blur_equals_scipy_with_a_zero_border(channels, kernel_size, radius):
    images = some_images(height=12, width=10, channels=channels)
    sigma = some_parameters(0.1, 2.0)
    theirs = [
        reference.gaussian_blur(*pair, radius)
        for pair in zip(images, sigma, strict=True)
    ]
    ours = ops.gaussian_blur(images, sigma, kernel_size)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "name,neutral",
    [
        ("adjust_brightness", 0.0),
        ("adjust_contrast", 1.0),
        ("adjust_saturation", 1.0),
        ("adjust_hue", 0.0),
        ("adjust_hue", 1.0),
        ("solarize", 2.0),
    ],
)
def test_neutral_parameter_leaves_the_image(name, neutral):
    images = some_images()
    ours = getattr(ops, name)(images, np.full(6, neutral, np.float32))
    np.testing.assert_allclose(ours, images, atol=1e-6)


def test_blur_of_deviation_zero_leaves_the_image():
    images = some_images()
    ours = ops.gaussian_blur(images, np.zeros(6, np.float32), 3.2)
    np.testing.assert_allclose(ours, images, atol=1e-7)


def test_solarize_inverts_from_the_threshold_on():
    images = np.reshape(np.float32([0.0, 0.25, 0.5, 1.0]), [1, 2, 2, 1])
    ours = ops.solarize(images, 0.25)
    np.testing.assert_array_equal(np.ravel(ours), [0.0, 0.75, 0.5, 0.0])


def jitter_parameters(batch):
    return [
        some_parameters(low, high, batch, seed)
        for seed, (low, high) in enumerate(
            [(-0.4, 0.4), (0.6, 1.4), (0.5, 1.5), (-0.3, 0.3)]
        )
    ]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_jitter_equals_single_operations_in_all_orders(jit_compile):
    images = some_images(batch=len(ORDERS), height=6, width=5)
    parameters = jitter_parameters(len(ORDERS))
    jitter = tf.function(ops.color_jitter, jit_compile=jit_compile)
    ours = jitter(images, *parameters, ORDERS)
    for index, order in enumerate(ORDERS):
        theirs = reference.color_jitter(
            images[index], [p[index] for p in parameters], order
        )
        np.testing.assert_allclose(
            ours[index], theirs, atol=5e-6, err_msg=f"order {order}"
        )


def test_jitter_with_neutral_parameters_leaves_the_images():
    images = some_images(batch=len(ORDERS))
    zero, one = np.zeros(24, np.float32), np.ones(24, np.float32)
    ours = ops.color_jitter(images, zero, one, one, zero, ORDERS)
    np.testing.assert_allclose(ours, images, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 5])
def test_jitter_without_colours_is_brightness_and_contrast(channels):
    images = some_images(batch=len(ORDERS), channels=channels)
    delta, factor, *_ = jitter_parameters(len(ORDERS))
    ours = ops.color_jitter(images, delta, factor, None, None, ORDERS)
    for index, order in enumerate(ORDERS):
        theirs = reference.color_jitter(
            images[index],
            (delta[index], factor[index]),
            [operation for operation in order if operation < 2],
        )
        np.testing.assert_allclose(ours[index], theirs, atol=2e-6)


def test_jitter_with_hue_alone_equals_hue():
    images = some_images(batch=len(ORDERS))
    zero, one = np.zeros(24, np.float32), np.ones(24, np.float32)
    hue = some_parameters(-0.3, 0.3, batch=24)
    ours = ops.color_jitter(images, zero, one, None, hue, ORDERS)
    np.testing.assert_allclose(ours, ops.adjust_hue(images, hue), atol=2e-6)


def test_apply_where_changes_only_the_chosen_images():
    images = some_images(batch=4)
    chosen = np.array([True, False, True, False])
    ours = ops.apply_where(chosen, lambda x: 1.0 - x, images)
    theirs = np.where(chosen[:, None, None, None], 1 - images, images)
    np.testing.assert_array_equal(ours, theirs)


def test_apply_where_leaves_out_what_no_image_wants():
    computed = []

    def operation(images):
        computed.append(True)
        return 1.0 - images

    images = some_images(batch=2)
    ours = ops.apply_where(np.array([False, False]), operation, images)
    np.testing.assert_array_equal(ours, images)
    assert not computed


def test_turns_are_those_of_numpy():
    images = some_images(4, 6, 6)
    turned = ops.turn(images, tf.constant([0, 1, 2, 3]))
    for k in range(4):
        np.testing.assert_array_equal(turned[k], np.rot90(images[k], k))
