"""The views of BYOL-A: what each part does, and how often."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.audio import views as module
from byol_tf.modalities.audio.logmel import LogMel
from byol_tf.modalities.audio.views import SoundViews

LAYER = LogMel(rate=8000, window=256, hop=128, bands=24, high=0.0, frames=20)
OFF = {
    "mixup": 0.0,
    "time_crop": (1.0, 1.0),
    "band_crop": (1.0, 1.0),
    "canvas": 1.0,
    "fader": 0.0,
    "normalize": False,
}
COUNT = 400


def make(**options):
    return SoundViews(LAYER, **{**OFF, **options})


def noises(count, samples=LAYER.samples, scale=3000):
    rng = np.random.default_rng(0)
    return np.int16(rng.normal(scale=scale, size=(count, samples)))


def seed(number=1):
    return tf.constant([number, 2])


def drawn(name, count=COUNT):
    """All draws 0.5, but for one that goes from 0 to 1."""
    numbers = np.full([count, len(module._DRAWS)], 0.5, np.float32)
    place = module._DRAWS.index(name)
    numbers[:, place] = np.linspace(0, 1, count, endpoint=False)
    return tf.constant(numbers)


def test_with_all_off_views_are_the_frames():
    sounds = noises(4)
    for view in make()(sounds, seed()):
        np.testing.assert_allclose(view, LAYER(sounds), atol=1e-4)


def test_mixing_adds_powers_of_another_sound_by_its_share():
    rng = np.random.default_rng(0)
    frames, other = rng.normal(size=(2, 5, 3, 4))
    share = np.linspace(0, 0.2, 5)
    expected = np.log(
        (1 - share[:, None, None]) * np.exp(frames)
        + share[:, None, None] * np.exp(other)
    )
    given = (np.float32(array) for array in (frames, other, share))
    found = module.log_mix(*map(tf.constant, given))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_every_other_sound_of_the_batch_is_a_partner_and_none_is_its_own():
    fractions = tf.linspace(0.0, 0.9999, 600)
    partners = module._partners(fractions).numpy()
    assert (partners != np.arange(600)).all()
    ten = [module._partners(tf.fill([10], f)).numpy()[0] for f in fractions]
    counts = np.bincount(ten, minlength=10)
    assert counts[0] == 0 and counts[1:].min() >= 60
    assert module._partners(tf.constant([0.7])).numpy() == [0]


def test_a_crop_of_the_whole_is_the_whole():
    whole = module.crop_matrix(tf.zeros([1]), tf.fill([1], 20.0), 20)
    np.testing.assert_allclose(whole[0], np.eye(20), atol=1e-6)


def test_a_crop_is_resized_as_a_cubic_is_between_its_points():
    # Lines are reproduced by every such kernel where nothing is cut off.
    line = np.arange(40, dtype=np.float32)
    (matrix,) = module.crop_matrix(tf.constant([7.0]), tf.constant([21.0]), 40)
    found = tf.linalg.matvec(matrix, line)
    np.testing.assert_allclose(found, np.linspace(7, 27, 40), atol=0.06)


def test_what_lies_beyond_the_sound_is_zero():
    (matrix,) = module.crop_matrix(tf.constant([-9.0]), tf.constant([38.0]), 20)
    found = tf.linalg.matvec(matrix, tf.ones([20])).numpy()
    assert not found[:3].any() and not found[-3:].any()
    np.testing.assert_allclose(found[6:14], 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "canvas", "expected"),
    [("width", 1.5, (0.6, 1.5)), ("height", 1.5, (0.6, 1.0))],
)
def test_crops_have_the_sizes_of_their_range(name, canvas, expected):
    views = make(time_crop=(0.6, 1.5), band_crop=(0.6, 1.5), canvas=canvas)
    axis, size = (1, 20) if name == "width" else (2, 24)
    ramp = tf.range(size, dtype=tf.float32)
    frames = ramp[:, None] if axis == 1 else ramp[None, :]
    frames = tf.tile((frames + tf.zeros([20, 24]))[None], [COUNT, 1, 1])
    found = views.change(frames, drawn(name)).numpy()
    # Between a quarter and three of them nothing is ever cut off.
    near, far = size // 4, size - 1 - size // 4
    spans = np.take(found, far, axis) - np.take(found, near, axis)
    ratio = np.median(spans, axis=1) * (size - 1) / (far - near)
    low, high = (share * size - 1 for share in expected)
    assert ratio[0] == pytest.approx(low, abs=0.5)
    assert ratio.max() == pytest.approx(high, abs=0.5)


def test_views_report_their_place_in_the_window():
    views = make(time_crop=(0.5, 1.5), canvas=1.5)
    batch = tf.constant(noises(COUNT))
    pairs = views.draw_with_where(batch, seed())
    both = tf.function(views)(batch, seed())
    frames = LAYER(batch).numpy()
    at, compared = np.arange(20), 0
    for (view, where), same in zip(pairs, both, strict=True):
        np.testing.assert_allclose(view, same, atol=1e-4)
        top, left, height, width = where["box"].numpy().T
        assert not top.any() and (height == 1).all()
        assert not where["flip"].numpy().any()
        assert 0.5 <= width.min() < 0.55 and 1.4 < width.max() <= 1.5
        assert left.min() < -0.2 and (left + width).max() > 1.2
        # Frame k of a view is a crop's first to last frame, k / 19 of the way.
        for row in range(100):
            place = 20 * left[row] + (20 * width[row] - 1) * at / 19
            near = np.rint(place).astype(int)
            exact = (abs(place - near) < 0.02) & (near > 2) & (near < 17)
            np.testing.assert_allclose(
                view[row].numpy()[exact], frames[row][near[exact]], atol=0.2
            )
            compared += exact.sum()
    assert compared > 50


def test_the_fader_is_a_line_with_ends_that_are_uniform():
    views = make(fader=1.0)
    first, _ = views(np.repeat(noises(1), COUNT, 0), seed())
    lines = first.numpy() - LAYER(noises(1)).numpy()
    assert np.ptp(lines, axis=2).max() < 1e-3
    assert np.abs(np.diff(lines[:, :, 0], n=2, axis=1)).max() < 1e-3
    for ends in (lines[:, 0, 0], lines[:, -1, 0]):
        assert -1 <= ends.min() < -0.95 and 0.95 < ends.max() <= 1
        assert abs(ends.mean()) < 5 * np.sqrt(1 / 3 / COUNT)


def test_views_are_normalised_together():
    views = np.stack(make(normalize=True, fader=1.0)(noises(8), seed()))
    assert views.mean() == pytest.approx(0, abs=1e-4)
    assert views.std() == pytest.approx(1, abs=1e-3)
    assert abs(views[0].mean() - views[1].mean()) > 1e-4


def test_windows_lie_anywhere_in_a_longer_sound():
    row = np.arange(LAYER.samples + 1000, dtype=np.int16)
    numbers = make().numbers(seed(), COUNT)
    cut = tf.function(make().cut)
    starts = [cut(row, each)[0].numpy()[0] for each in numbers]
    assert 0 <= min(starts) < 30 and 970 < max(starts) <= 1000
    # A ramp from silence: the first quarter is less often a window's begin.
    assert np.mean(starts) > 450


def test_no_window_is_silence_where_there_is_a_sound():
    length = LAYER.samples
    row = np.zeros(3 * length, np.int16)
    row[length:] = noises(1, 2 * length)[0]
    numbers = make().numbers(seed(), COUNT)
    cut = tf.function(make().cut)
    loud = [cut(row, each)[0].numpy().any() for each in numbers]
    # Windows within the silent third: all four places would have to be there.
    assert np.mean(loud) > 0.97


def test_a_short_sound_lies_in_the_middle_of_its_window():
    row = np.full(LAYER.samples - 100, 7, np.int16)
    (window,) = make().cut(row, make().numbers(seed(), 1)[0])
    np.testing.assert_array_equal(window[50:-50], row)
    assert not window[:50].numpy().any()


@pytest.mark.parametrize(
    "options",
    [{"mixup": 2.0}, {"time_crop": (0.5, 2.0)}, {"band_crop": (2.0, 1.0)}],
)
def test_what_is_no_augmentation_is_refused_by_name(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        SoundViews(LAYER, **options)
