"""Whole sounds: frames of any length, and their views of training."""

import numpy as np
import tensorflow as tf

from byol_tf.layers.graph import rebuild
from byol_tf.modalities.audio.encoder import make_encoder
from byol_tf.modalities.audio.logmel import LogMel
from byol_tf.modalities.audio.whole import (
    MARGIN,
    WholeLogMel,
    WholeTrainView,
    change_speed,
)

OPTIONS = {
    **{"rate": 8000, "window": 256, "hop": 80, "bands": 16, "high": 0.0},
    **{"mean": -3.0, "deviation": 2.0},
}
VIEW = {"band_crop": (0.9, 1.0), "fader": 0.5, "time_crop": (0.5, 1.0)}


def noise(length, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=3000, size=length).astype(np.int16)


def padded(sounds, longest):
    batch = np.zeros((len(sounds), longest), np.int16)
    for row, sound in zip(batch, sounds, strict=True):
        row[: len(sound)] = sound
    return {
        "sound": batch,
        "length": np.array(list(map(len, sounds)), np.int32),
    }


def test_frames_are_those_of_the_window_and_zero_behind_the_end():
    layer, sound = WholeLogMel(**OPTIONS), noise(1701)
    found = layer(padded([sound, noise(80)], 4096))
    assert found["length"].numpy().tolist() == [22, 1]
    frames = found["log_mel"].numpy()
    assert frames.shape == (2, 22 + MARGIN, 16)
    assert not frames[0, 22:].any() and not frames[1, 1:].any()
    inner = LogMel(**OPTIONS, frames=18)
    same = inner(sound[None, : inner.samples])
    np.testing.assert_allclose(frames[0, :18], same[0], atol=1e-5)
    alone = layer(sound[None])
    np.testing.assert_allclose(alone["log_mel"][0, :22], frames[0, :22], 1e-5)


def test_what_an_encoder_hears_does_not_depend_on_padding():
    encoder = make_encoder("sound_small", 20, 16, (4, 4, 4))
    encoder = rebuild(encoder, input_shape=(None, 16))
    layer, sound = WholeLogMel(**OPTIONS), noise(1600)
    level = tf.keras.Model(encoder.input, encoder.get_layer("frames").output)
    short, long = (
        level(layer(padded([sound], size))["log_mel"])[0, :5]
        for size in (1600, 8192)
    )
    np.testing.assert_allclose(short, long, rtol=1e-5, atol=1e-5)


def test_it_is_saved_with_its_statistics():
    layer = WholeLogMel(**OPTIONS)
    again = WholeLogMel.from_config(layer.get_config())
    batch = padded([noise(500)], 512)
    np.testing.assert_array_equal(
        layer(batch)["log_mel"], again(batch)["log_mel"]
    )


def test_speed_changes_length_and_pitch():
    time = np.arange(4000)
    tone = np.sin(2 * np.pi * 0.05 * time).astype(np.float32)
    sounds, lengths = change_speed(
        tf.constant([tone, tone]),
        tf.constant([4000, 2000]),
        tf.constant([0.9, 1.1]),
    )
    assert lengths.numpy().tolist() == [4444, 1818]
    sounds = sounds.numpy()
    expected = np.sin(2 * np.pi * 0.05 * 0.9 * np.arange(4400))
    np.testing.assert_allclose(sounds[0, :4400], expected, atol=0.02)
    assert not sounds[1, 1818:].any()


def test_views_keep_the_end_and_follow_from_the_seed():
    view = WholeTrainView(WholeLogMel(**OPTIONS), VIEW)
    batch = padded([noise(3000), noise(1000)], 4096)
    drawn = tf.function(view, autograph=False)
    (first, _), (second, _), (other, _) = (
        drawn(batch, tf.constant(seed)) for seed in ([0, 1], [0, 1], [0, 2])
    )
    np.testing.assert_array_equal(first["log_mel"], second["log_mel"])
    same = np.s_[:, :10]
    assert np.abs(first["log_mel"][same] - other["log_mel"][same]).max() > 0.1
    eager, _ = view(batch, tf.constant([0, 1]))
    np.testing.assert_allclose(
        first["log_mel"], eager["log_mel"], rtol=1e-3, atol=1e-3
    )
    for row, samples in enumerate((3000, 1000)):
        count = int(first["length"][row])
        assert samples / 80 / 1.16 < count < samples / 80 / 0.84 + 1
        assert not first["log_mel"].numpy()[row, count:].any()
