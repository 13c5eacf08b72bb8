"""Log-mel frames are librosa's, in both forms."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.audio.inputs import NOT_FINITE, SOUNDS, inputs
from byol_tf.modalities.audio.logmel import LogMel, windows

SETTINGS = [
    {"rate": 16_000, "window": 1024, "hop": 160, "bands": 64},
    {"rate": 8000, "window": 256, "hop": 80, "bands": 40, "high": 0.0},
]


def sound(samples, seed=0):
    rng = np.random.default_rng(seed)
    tone = np.sin(np.arange(samples) * 0.1) * np.linspace(0, 1, samples)
    return np.float32(0.3 * tone + rng.normal(scale=0.01, size=samples))


@pytest.mark.parametrize("form", ["fft", "dft"])
@pytest.mark.parametrize("settings", SETTINGS, ids=["byol_a", "telephone"])
def test_frames_are_those_of_librosa(settings, form):
    librosa = pytest.importorskip("librosa")
    layer = LogMel(**settings, frames=30, form=form)
    samples = sound(layer.samples)
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=layer.rate,
        n_fft=layer.window,
        hop_length=layer.hop,
        n_mels=layer.bands,
        fmin=layer.low,
        fmax=layer.high,
        htk=True,
        norm=None,
        center=False,
    )
    (found,) = layer(samples[None])
    np.testing.assert_allclose(found, np.log(power.T + 1e-6), atol=1e-4)


def test_both_forms_are_equal_also_where_there_is_silence():
    layer = LogMel(frames=20, mean=-3.0, deviation=2.0)
    samples = np.stack([sound(layer.samples), np.zeros(layer.samples)])
    other = layer.changed(form="dft")
    np.testing.assert_allclose(layer(samples), other(samples), atol=1e-4)


def test_whole_numbers_are_shares_of_their_range():
    layer = LogMel(frames=5)
    whole = np.int16(sound(layer.samples) * 32_768)
    floats = whole.astype(np.float32) / 32_768
    found = layer(tf.constant(whole[None]))
    np.testing.assert_array_equal(found, layer(floats[None]))


def test_mean_and_deviation_are_taken_out():
    layer = LogMel(frames=5, mean=-4.0, deviation=2.5)
    samples = sound(layer.samples)[None]
    plain = layer.changed(mean=0.0, deviation=1.0)(samples)
    np.testing.assert_allclose(layer(samples), (plain + 4) / 2.5, atol=1e-5)


def window_of(values, samples, start=0):
    sounds = np.array([[*values, 9, 9]], np.int16)  # padded
    length, start = tf.constant([len(values)]), tf.constant([start])
    found = windows(tf.constant(sounds), length, samples, start)
    return list(found[0].numpy())


def test_a_longer_sound_is_cut_and_a_shorter_one_lies_in_the_middle():
    assert window_of([1, 2, 3, 4, 5], 3, start=1) == [2, 3, 4]
    assert window_of([1, 2, 3, 4], 6) == [0, 1, 2, 3, 4, 0]


def test_a_very_short_sound_is_repeated_until_half_is_filled():
    assert window_of([1, 2], 8) == [0, 0, 1, 2, 1, 2, 0, 0]
    assert window_of([5], 7) == [0, 5, 5, 5, 5, 0, 0]


@pytest.mark.parametrize(
    "options",
    [{"window": 1000}, {"high": 9000.0}, {"hop": 0}, {"form": "wavelet"}],
)
def test_what_makes_no_frames_is_refused_by_name(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        LogMel(**options)


def test_waveforms_without_samples_are_refused_by_their_status():
    layer = LogMel(rate=8000, window=16, hop=8, bands=4, high=0.0, frames=4)
    sizes = {"max_seconds": 2.0, "channel": 0}
    read = tf.function(inputs(layer, sizes, "saved_model")[SOUNDS].read)
    batch, status = read(tf.zeros([2, 0]))
    assert np.isnan(batch).all() and batch.shape == (2, 4, 4)
    assert list(status.numpy()) == [NOT_FINITE.encode()] * 2
    assert read(tf.zeros([1, 5]))[1].numpy() == [b"ok"]
