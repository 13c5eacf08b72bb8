"""keras-cv's augmentations: what they make of images and of targets."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image.supervised import SupervisedAugment


def batch(count=8, size=12, channels=3):
    """Images of one gray each, a tenth times their number, and one-hot."""
    levels = np.arange(count, dtype=np.float32) / 10
    shape = (count, size, size, channels)
    images = np.broadcast_to(levels[:, None, None, None], shape)
    return tf.constant(images), tf.eye(count)


def run(augmentation, images, targets, seed=0, batches=1):
    function = augmentation.start(seed)
    results = [function(images, targets) for _ in range(batches)]
    return [[tensor.numpy() for tensor in result] for result in results]


@pytest.fixture(scope="module")
def mixed():
    return run(SupervisedAugment(mixup=0.8), *batch())[0]


def test_mixup_weighs_targets_as_it_weighs_images(mixed):
    images, targets = mixed
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert (targets >= 0).all() and ((targets > 0).sum(axis=1) <= 2).all()
    # The gray of image i is i / 10, so the mixture's follows from its target.
    expected = targets @ (np.arange(8) / 10)
    np.testing.assert_allclose(images[:, 0, 0, 0], expected, atol=1e-6)
    assert (targets.max(axis=1) < 0.999).any()


def test_cutmix_weighs_targets_by_the_area_that_each_image_keeps():
    results = run(SupervisedAugment(cutmix=1.0), *batch(), batches=3)
    mixtures = 0
    for images, targets in results:
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        for image, target in zip(images, targets, strict=True):
            grays = np.unique(np.round(image * 10).astype(int))
            assert set(grays) <= set(np.flatnonzero(target > 0)) | {0}
            assert len(grays) <= 2
            mixtures += len(grays) == 2
    assert mixtures > 3


def test_either_is_chosen_when_both_are_given():
    results = run(
        SupervisedAugment(mixup=1.0, cutmix=1.0), *batch(), batches=12
    )
    uniform = [
        np.ptp(images, axis=(1, 2, 3)).max() < 1e-6 for images, _ in results
    ]
    assert any(uniform) and not all(uniform)


def test_an_unknown_target_makes_the_mixture_unknown():
    images, targets = batch()
    targets = np.full((8, 2), [np.nan, 1], np.float32)
    _, mixed = run(SupervisedAugment(mixup=1.0), images, targets)[0]
    assert np.isnan(mixed[:, 0]).all()
    np.testing.assert_allclose(mixed[:, 1], 1, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_randaugment_changes_images_within_their_range(channels):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((6, 12, 12, channels)), tf.float32)
    targets = tf.eye(6)
    first, second = run(
        SupervisedAugment("randaugment"), images, targets, batches=2
    )
    for changed, kept in (first, second):
        assert changed.shape == images.shape and changed.dtype == np.float32
        assert changed.min() >= 0 and changed.max() <= 1
        assert np.abs(changed - images).max() > 0.05
        np.testing.assert_array_equal(kept, targets)
    assert np.abs(first[0] - second[0]).max() > 0.05


@pytest.mark.parametrize(
    "options",
    [{"name": "randaugment"}, {"mixup": 0.5}, {"mixup": 0.5, "cutmix": 1.0}],
)
def test_the_seed_alone_decides_the_draws(options):
    augmentation = SupervisedAugment(**options)
    # Enough images that any two at work at once would change places.
    images, targets = batch(count=64)
    images = tf.constant(
        np.random.default_rng(0).random(images.shape), tf.float32
    )
    first, again = (
        run(augmentation, images, targets, seed=1, batches=4) for _ in range(2)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    assert np.abs(first[0][0] - first[1][0]).max() > 0.01


def test_another_seed_makes_other_draws():
    one, two = (
        run(SupervisedAugment(mixup=0.5), *batch(), seed=s) for s in (1, 2)
    )
    assert np.abs(one[0][0] - two[0][0]).max() > 0.01


def test_two_channels_cannot_be_randaugmented():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        run(SupervisedAugment("randaugment"), *batch(channels=2))


@pytest.mark.parametrize(
    "options,told",
    [
        ({"name": "autoaugment"}, "augment.name"),
        ({"magnitude": 2.0}, "augment.magnitude"),
        ({"operations": 0}, "augment.operations"),
        ({"mixup": -1.0}, "augment.mixup"),
        ({"cutmix": "much"}, "augment.cutmix"),
    ],
)
def test_impossible_values_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        SupervisedAugment(**options)


def test_it_says_what_it_does():
    assert not SupervisedAugment().changes
    assert SupervisedAugment("randaugment").changes
    assert not SupervisedAugment("randaugment").mixes
    assert SupervisedAugment(cutmix=1.0).mixes
