"""Views cut one by one out of images of any size, and the rest in a batch."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf import CentreView, TwoViews, View
from byol_tf.data.examples import Encoded, Examples
from byol_tf.modalities.image import sampling
from byol_tf.modalities.image.decode import ORIENTATION
from byol_tf.modalities.image.reading import image_decoder
from byol_tf.modalities.image.resize import Levels, resize_box

SIZE, SEED = 32, tf.constant([3, 7])
PLAIN = {"jitter": 0.0, "grayscale": 0.0, "blur": 0.0, "solarize": 0.0}


def images_of(*shape):
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (shape[0], 6, 8, shape[-1]))
    return np.asarray(tf.image.resize(coarse, shape[1:3])).astype(np.uint8)


def cut_all(views, images):
    numbers = views.numbers(SEED, len(images))
    tensors = map(tf.constant, images)
    cuts = [views.cut(*pair) for pair in zip(tensors, numbers, strict=True)]
    return [np.stack(crops) for crops in zip(*cuts, strict=True)]


@pytest.mark.parametrize("shape", [(300, 400), (33, 17), (1, 9), (224, 224)])
def test_a_box_by_itself_is_that_of_the_batch(shape):
    fractions = sampling.fractions(SEED, [2000, 4])
    area, aspect = (0.08, 1.0), (3 / 4, 4 / 3)
    together = np.stack(sampling.boxes(fractions, *shape, area, aspect), 1)
    alone = [sampling.box(row, *shape, area, aspect) for row in fractions]
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_cut_views_are_those_of_the_batch(channels):
    # Crops that grow: there the filter averages nothing.
    views = TwoViews.byol(SIZE, area=(0.2, 0.4), **PLAIN)
    images = images_of(8, 36, 36, channels)
    expected = views(tf.constant(images), seed=SEED)
    found = views(tuple(map(tf.constant, cut_all(views, images))), seed=SEED)
    for ours, theirs in zip(found, expected, strict=True):
        # Crops are rounded to whole levels, and so is the filter's first way.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2.1 / 255)


def test_floats_are_cut_as_in_the_batch():
    views = TwoViews.byol(SIZE, **PLAIN)
    images = images_of(8, 50, 70, 3).astype(np.float32) / 255
    expected = views(tf.constant(images), seed=SEED)
    found = views(tuple(map(tf.constant, cut_all(views, images))), seed=SEED)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_colours_of_cut_views_are_drawn_as_in_the_batch():
    options = {"area": (1.0, 1.0), "aspect": (1.0, 1.0)}
    views = TwoViews.byol(SIZE, **options)
    images = images_of(8, SIZE, SIZE, 3)
    expected = views(tf.constant(images), seed=SEED)
    found = views((tf.constant(images),) * 2, seed=SEED)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_crops_come_from_the_whole_of_an_image():
    image = np.zeros((60, 240, 3), np.uint8)
    image[:, :40] = image[:, -40:] = 255  # outside of the centre square
    views = TwoViews.byol(SIZE, area=(0.05, 0.2), **PLAIN)
    crops = cut_all(views, [image] * 64)[0]
    assert (crops.mean(axis=(1, 2, 3)) > 200).sum() > 5


def test_a_crop_up_to_the_border_of_a_reduced_photo_sees_nothing_beyond():
    white = Image.new("RGB", (251, 150), "white")
    for left in range(400):
        levels = Levels([white], (300, 501))
        box = levels.smallest((0, left, 300, 501 - left), (4, 4))
        assert resize_box(*box, (4, 4), "bicubic").min() == 255


def test_a_view_without_a_size_cannot_be_cut():
    views = TwoViews.byol()
    with pytest.raises(ValueError, match="`size` must be given"):
        cut_all(views, images_of(1, 8, 8, 3))


def test_the_centre_of_a_canvas_is_that_of_the_image_alone():
    images = [images_of(1, *shape, 3)[0] for shape in ((20, 30), (40, 24))]
    canvas = np.full((2, 40, 40, 3), 99, np.uint8)
    for place, image in zip(canvas, images, strict=True):
        place[: image.shape[0], : image.shape[1]] = image
    lengths = np.array([image.shape[:2] for image in images], np.int32)
    view = CentreView(16)
    found = view({"image": tf.constant(canvas), "length": lengths})
    for ours, image in zip(found, images, strict=True):
        alone = view(tf.constant(image[None]))[0]
        np.testing.assert_allclose(ours, alone, rtol=0, atol=1e-6)


def test_a_view_on_a_canvas_is_that_of_the_image_alone():
    images = [images_of(1, *shape, 3)[0] for shape in ((20, 30), (40, 24))]
    canvas = np.full((2, 40, 40, 3), 99, np.uint8)
    for place, image in zip(canvas, images, strict=True):
        place[: image.shape[0], : image.shape[1]] = image
    lengths = np.array([image.shape[:2] for image in images], np.int32)
    rows = {"image": tf.constant(canvas), "length": tf.constant(lengths)}
    view = View(16)
    numbers = sampling.random_numbers(2, SEED)
    found, where = view.draw_with_where(rows, SEED)
    np.testing.assert_array_equal(found, view.draw(rows, SEED))
    for i, image in enumerate(images):
        alone = view.transform(tf.constant(image[None]), numbers[i : i + 1])
        np.testing.assert_allclose(found[i], alone[0], rtol=0, atol=1e-6)
        box = sampling.box(
            numbers[i, :4], *image.shape[:2], view.area, view.aspect
        )
        expected = np.array(box) / np.tile(image.shape[:2], 2)
        np.testing.assert_allclose(where["box"][i], expected, atol=1e-6)


def test_a_view_on_a_canvas_needs_a_size():
    rows = {"image": tf.zeros([1, 8, 8, 3]), "length": tf.constant([[8, 8]])}
    with pytest.raises(ValueError, match="`size` must be given"):
        View().draw(rows, SEED)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_photo_gives_the_same_crops(orientation):
    image = Image.fromarray(images_of(1, 300, 500, 3)[0])
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = orientation
    image.save(file, "JPEG", quality=95, exif=exif)
    views = TwoViews.byol(SIZE, **PLAIN)
    rows = Encoded([file.getvalue()])
    decoder = image_decoder()
    examples = Examples(
        rows, np.zeros(1, int), spec=decoder.spec, decode=decoder.decode
    )
    whole, reduced = examples.read(0)["image"], 0
    for numbers in views.numbers(SEED, 8):
        cuts = functools.partial(views.least_side, numbers.numpy())
        (small,) = map(np.asarray, examples.read(0, cuts)["image"])
        reduced += small.shape != whole.shape
        one, two = (
            views.cut(x, numbers) for x in map(tf.constant, (whole, small))
        )
        for ours, theirs, view, own in zip(
            two,
            one,
            (views.view1, views.view2),
            np.split(numbers, 2),
            strict=True,
        ):
            box = sampling.box(
                own[:4], *small.shape[:2], view.area, view.aspect
            )
            if small.shape != whole.shape:
                assert min(box[2:]) >= 2 * SIZE - 1
            # Half a pixel of the view, of smooth slopes.
            difference = np.abs(np.subtract(ours, theirs, dtype=np.int32))
            assert difference.mean() < 3 and difference.max() < 16
    assert reduced >= 3


def test_small_originals_are_not_reduced():
    views = TwoViews.byol(SIZE, **PLAIN)
    numbers = views.numbers(SEED, 1)[0].numpy()
    assert views.least_side(numbers, 40, 60) == 40
