"""Sound files become one channel of 16 bits at one rate, or have a reason."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from byol_tf.data.recordings.decode import Reading, SoundError
from byol_tf.modalities.audio.inputs import wav

soundfile = pytest.importorskip("soundfile")

RATE = 16_000
FORMATS = ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF"]


def tone(rate, seconds=0.5, hertz=440.0):
    time = np.arange(int(rate * seconds)) / rate
    return 0.5 * np.sin(2 * np.pi * hertz * time)


def file_of(samples, rate=RATE, form="FLAC", **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, **options)
    return file.getvalue()


def loudest_hertz(row):
    power = np.abs(np.fft.rfft(row * np.hanning(len(row))))
    return power.argmax() * RATE / len(row)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(form):
    row = Reading(RATE)(file_of(tone(RATE), form=form))
    assert row.dtype == np.int16 and row.ndim == 1
    assert len(row) >= 0.5 * RATE
    assert loudest_hertz(row) == pytest.approx(440, abs=3)


def test_opus_is_read():
    data = file_of(tone(48_000), 48_000, "OGG", subtype="OPUS")
    assert loudest_hertz(Reading(RATE)(data)) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
def test_files_of_other_rates_are_resampled(rate):
    row = Reading(RATE)(file_of(tone(rate), rate))
    assert len(row) == RATE // 2
    expected = tone(RATE)[400:-400] * 32_768
    np.testing.assert_allclose(row[400:-400], expected, atol=40)


def test_channels_are_averaged_or_chosen():
    both = np.stack([tone(RATE), np.zeros(RATE // 2)], axis=1)
    mean, first, second = (
        Reading(RATE, channel=number)(file_of(both)) for number in (-1, 0, 1)
    )
    np.testing.assert_allclose(mean, first / 2, atol=1)
    assert first.any() and not second.any()
    with pytest.raises(SoundError, match="no channel 2: it has 2"):
        Reading(RATE, channel=2)(file_of(both))


def test_arrays_are_read_as_files_are():
    samples = tone(RATE).astype(np.float32)
    file = io.BytesIO()
    np.save(file, samples)
    data = file_of(samples, form="WAV", subtype="PCM_16")
    found, expected = Reading(RATE)(file.getvalue()), Reading(RATE)(data)
    np.testing.assert_allclose(found, expected, atol=1)


GOOD = wav(np.int16(tone(RATE) * 20_000), RATE)
NAN = tone(RATE)
NAN[3] = np.nan
BAD = {
    "empty": (b"", "empty file"),
    "video": (b"\0\0\0\x20ftypisom" + bytes(99), "MPEG-4"),
    "cut": (GOOD[:-2], "cut off"),
    "head": (GOOD[:30], "cut off"),
    "no_rate": (GOOD[:24] + bytes(4) + GOOD[28:], "0 samples a second"),
    "no_samples": (file_of(np.zeros(0), form="WAV"), "0 seconds"),
    "nan": (file_of(NAN, form="WAV", subtype="FLOAT"), "NaN"),
    "long": (file_of(np.zeros(RATE * 3), form="FLAC"), "more than"),
    "flac": (file_of(tone(RATE))[:3000], "no sound can be read"),
    **{
        form: (file_of(tone(RATE), form=form)[:1500], "cut off: 1500 of")
        for form in ("AIFF", "AU", "RF64", "MP3", "OGG")
    },
    "opus": (
        file_of(tone(48_000, 1.5), 48_000, "OGG", subtype="OPUS")[:9000],
        "cut off: 9000 of",
    ),
    "tagged": (
        b"ID3\4\0\0\0\0\2\0"
        + bytes(256)
        + file_of(tone(RATE), form="MP3")[:-9],
        "cut off",
    ),
    "text": (b"not a sound at all", "no sound can be read"),
}


@pytest.mark.parametrize("kind", BAD)
def test_hostile_files_have_a_reason(kind):
    data, reason = BAD[kind]
    with pytest.raises(SoundError, match=reason):
        Reading(RATE, max_seconds=2.0)(data)


def test_a_size_of_the_samples_that_is_unknown_is_no_lie():
    streamed = GOOD[:40] + b"\xff\xff\xff\xff" + GOOD[44:]
    np.testing.assert_array_equal(Reading(RATE)(streamed), Reading(RATE)(GOOD))


@pytest.mark.filterwarnings("error")
def test_no_damage_does_more_than_to_refuse_a_file():
    rng = np.random.default_rng(0)
    wholes = [file_of(tone(RATE, 0.05), form=form) for form in FORMATS]
    read = Reading(RATE, max_seconds=5.0)

    def damaged(number):
        data = bytearray(wholes[number % len(wholes)])
        for place in rng.integers(0, min(len(data), 400), 4):
            data[place] = rng.integers(256)
        return bytes(data[: rng.integers(1, len(data) + 1)])

    def fine(data):
        try:
            row = read(data)
        except SoundError:
            return True
        return row.dtype == np.int16 and len(row) <= 5 * RATE + 1

    cases = [damaged(number) for number in range(3000)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(fine, cases))
    assert all(len(read(whole)) for whole in wholes)
