"""WAV files read in a graph are what soundfile and soxr read of them."""

import io

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.recordings.decode import Reading
from byol_tf.modalities.audio.graph_wav import decode_wav
from byol_tf.modalities.audio.inputs import middles, wav

soundfile = pytest.importorskip("soundfile")

RATE, SAMPLES = 8000, 2000


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda files: decode_wav(files, RATE, SAMPLES, 2.0, -1),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )


def tones(rate, channels=1, seconds=0.5):
    time = np.arange(int(rate * seconds)) / rate
    waves = [
        0.4 * np.sin(2 * np.pi * 300 * (1 + c) * time)
        + 0.3 * np.sin(2 * np.pi * 1100 * time)
        for c in range(channels)
    ]
    return np.stack(waves, axis=1)


def file_of(samples, rate, subtype, form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=form)
    return file.getvalue()


def expected(data):
    return middles([Reading(RATE, 2.0)(data)], SAMPLES)[0]


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
)
def test_every_kind_of_samples_is_read(decode, subtype, form):
    data = file_of(tones(RATE, channels=2), RATE, subtype, form)
    (found,), (status,) = decode([data])
    assert status == b"ok"
    # Rows have 16 bits, and the graph has not.
    np.testing.assert_allclose(found, expected(data), atol=2**-15)


@pytest.mark.parametrize("rate", [11_025, 16_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(decode, rate):
    data = file_of(tones(rate), rate, "FLOAT")
    (found,), (status,) = decode([data])
    assert status == b"ok"
    np.testing.assert_allclose(found, expected(data), atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_filtered_out(decode):
    time = np.arange(24_000) / 48_000
    data = file_of(np.sin(2 * np.pi * 6000 * time), 48_000, "FLOAT")
    (found,), _ = decode([data])
    assert np.abs(found[100:-100]).max() < 1e-2


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2, 0.25, 0.3, 1.9])
def test_windows_are_those_of_the_preprocessor(decode, seconds):
    data = file_of(tones(RATE, seconds=seconds), RATE, "PCM_16")
    (found,), _ = decode([data])
    np.testing.assert_array_equal(found, expected(data))


def test_further_chunks_are_passed_over(decode):
    plain = wav(np.arange(3000, dtype=np.int16), RATE)
    junk = b"JUNK" + (5).to_bytes(4, "little") + b"12345\0"
    data = plain[:12] + junk + plain[12:] + b"LIST\x04\0\0\0abcd"
    (found, same), status = decode([data, plain])
    np.testing.assert_array_equal(found, same)
    assert list(status.numpy()) == [b"ok", b"ok"]


def test_bad_batchfail_alone(decode):
    good = wav(np.arange(3000, dtype=np.int16), RATE)
    lies = good[:40] + (10**8).to_bytes(4, "little") + good[44:]
    no_rate = good[:24] + bytes(4) + good[28:]
    rng = np.random.default_rng(0)
    damaged = []
    for _ in range(300):
        head = bytearray(good)
        for place in rng.integers(0, 44, 3):
            head[place] = rng.integers(256)
        damaged.append(bytes(head)[: rng.integers(0, len(head))])
    found, status = decode([good, lies, no_rate, b"", b"RIFF", *damaged, good])
    assert status[0] == status[-1] == b"ok"
    assert status[1] == b"cut off" and status[2] == b"its sample rate"
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[-1])


def test_samples_that_are_no_numbers_are_refused(decode):
    samples = tones(RATE)
    samples[7] = np.nan
    _, (status,) = decode([file_of(samples, RATE, "FLOAT")])
    assert status == b"it has NaN or infinite samples"


@pytest.mark.parametrize("rate", [RATE, 11_025])
def test_pauses_are_taken_out_as_of_rows(rate):
    rng = np.random.default_rng(0)
    gains = np.repeat([0, 1, 0, 1, 0, 1e-6, 1], [9, 21, 25, 3, 70, 40, 33])
    loud = np.repeat(gains * rng.uniform(0.3, 1, len(gains)), rate // 100)
    sound = 0.3 * loud * tones(rate, seconds=2.2)[: len(loud), 0]
    files = [
        file_of(each, rate, "PCM_16")
        for each in (sound, sound[: rate // 3], np.zeros(rate), tones(rate))
    ]
    decode = tf.function(decode_wav, autograph=False)
    batch = tf.constant(files)
    found, status = decode(batch, RATE, SAMPLES, 3.0, -1, True)
    assert set(status.numpy()) == {b"ok"}
    rows = [Reading(RATE, 3.0, skip_silence=True)(data) for data in files]
    assert len(rows[0]) < 0.75 * RATE * len(sound) / rate
    atol = 2**-15 if rate == RATE else 0.01
    np.testing.assert_allclose(found, middles(rows, SAMPLES), atol=atol)
