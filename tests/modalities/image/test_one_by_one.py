"""Views drawn image by image are those of the whole batch."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image import views as views_module
from byol_tf.modalities.image.views import TwoViews, View

SEED = np.array([3, 4], np.int32)
IMAGES = (
    np.random.default_rng(0).integers(0, 256, (8, 20, 24, 3)).astype(np.uint8)
)
ALIKE = {"rtol": 0, "atol": 5e-6}


def pair(one_by_one, jit_compile=False, size=16):
    """Every operation, each for some of the images."""
    recipe = {"grayscale": 0.5, "blur": 0.5, "blur_divider": 4.0}
    return TwoViews(
        View(size, **recipe, solarize=0.5),
        View(size, **recipe, jitter=0.5, rotate=20.0),
        jit_compile=jit_compile,
        one_by_one=one_by_one,
    )


@pytest.fixture(scope="module")
def whole():
    return pair(False)(IMAGES, seed=SEED)


def assert_alike(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, **ALIKE)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_views_one_by_one_are_those_of_the_batch(jit_compile, whole):
    assert_alike(pair(True, jit_compile)(IMAGES, seed=SEED), whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_views_of_floats_one_by_one_are_those_of_the_batch(dtype, whole):
    images = IMAGES.astype(dtype) / 255
    assert_alike(pair(True)(images, seed=SEED), whole)


@pytest.mark.parametrize("resize", ["bicubic", "bilinear"])
def test_views_that_are_only_cut_are_those_of_the_batch(resize):
    views = [
        TwoViews.byol(
            16,
            resize=resize,
            jitter=0.0,
            grayscale=0.0,
            blur=0.0,
            solarize=0.0,
            jit_compile=False,
            one_by_one=one_by_one,
        )(IMAGES[..., :2], seed=SEED)
        for one_by_one in (False, True)
    ]
    assert_alike(*views)


def test_the_function_that_drew_uncompiled_draws_in_a_compiled_step(whole):
    views = pair(True)
    views(IMAGES, seed=SEED)
    step = tf.function(views, jit_compile=True)
    assert_alike(step(tf.constant(IMAGES), seed=SEED), whole)


def test_views_one_by_one_are_the_same_in_a_pipeline(whole):
    views = pair(True)
    data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(8)
    drawn = data.map(lambda images: views(images, seed=SEED))
    assert_alike(next(iter(drawn)), whole)


def test_views_one_by_one_have_a_known_shape_in_a_batch_of_any_length(whole):
    views = pair(True)
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([None, 20, 24, 3], tf.uint8)])
    def draw(images):
        drawn = views(images, seed=SEED)
        shapes.extend(view.shape.as_list() for view in drawn)
        return drawn

    assert_alike(draw(IMAGES), whole)
    assert shapes == [[None, 16, 16, 3]] * 2


@pytest.mark.parametrize("images", [IMAGES[0], IMAGES.astype(np.int64)])
def test_other_than_a_batch_of_images_is_refused_one_by_one(images):
    with pytest.raises(ValueError, match="`images` must be"):
        pair(True)(images, seed=SEED)


@pytest.mark.parametrize(
    "accelerator,size,expected",
    [
        (False, 112, True),
        (False, (200, 111), False),
        (True, 112, False),
        (False, None, False),
    ],
)
def test_large_views_are_drawn_one_by_one_on_a_cpu(
    monkeypatch, accelerator, size, expected
):
    monkeypatch.setattr(views_module, "has_accelerator", lambda: accelerator)
    views, drawn = pair("auto", size=size), []
    views._batch = lambda images, seed: drawn.append(False)
    views._each = lambda images, seed: drawn.append(True)
    views.call(tf.constant(IMAGES), seed=SEED)
    assert drawn == [expected]


def test_one_by_one_is_kept_in_the_config():
    assert TwoViews.from_config(pair(True).get_config()).one_by_one is True
    assert TwoViews.byol(one_by_one=False).one_by_one is False


def test_another_one_by_one_is_refused():
    with pytest.raises(ValueError, match="one_by_one='always'"):
        TwoViews(one_by_one="always")
