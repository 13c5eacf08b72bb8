"""Long recordings become rows of some seconds; arrays of waveforms."""

import io

import numpy as np
import pytest
import soundfile

from byol_tf.data.arrays import load_arrays
from byol_tf.data.items import find_items
from byol_tf.data.recordings.cutting import Cutting, names_of_parts
from byol_tf.data.recordings.decode import Piece, Reading
from byol_tf.data.rows import Unreadable, size_and_time
from byol_tf.data.sources import load
from byol_tf.modalities.audio.logmel import LogMel
from byol_tf.modalities.audio.modality import AUDIO
from configs import base

RATE = 8000


def section(**options):
    config = base.get_config()
    config.audio.rate = RATE
    config.data.window_seconds = options.pop("window_seconds", 0.0)
    config.audio.update(options)
    return config


@pytest.fixture
def folder(tmp_path):
    """Recordings of 10.6 and 1 seconds whose samples say where they are."""
    for name, count in (("long.flac", 84_800), ("short.wav", 8000)):
        samples = np.arange(count) % 30_000 - 15_000
        (tmp_path / "a").mkdir(exist_ok=True)
        path = tmp_path / "a" / name
        soundfile.write(path, samples.astype(np.int16), RATE)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "bad.wav").write_bytes(b"RIFF")
    return tmp_path


def read(folder, **options):
    decoder = AUDIO.decoder(section(**options))
    return load("folder", split="train", directory=str(folder), decoder=decoder)


def test_a_recording_becomes_windows_with_its_path_and_label(folder):
    found = read(folder, window_seconds=4.0)
    assert found.paths == ("a/long.flac",) * 3 + ("a/short.wav", "b/bad.wav")
    assert found.labels.tolist() == [0, 0, 0, 0, 1]
    rows = [found.read(row)["sound"] for row in range(4)]
    assert [len(row) for row in rows] == [32_000, 32_000, 20_800, 8000]
    assert rows[1][0] == 32_000 % 30_000 - 15_000
    with pytest.raises(Unreadable, match="no sound"):
        found.read(4)


def test_a_recording_may_be_longer_than_what_is_decoded(folder):
    whole = read(folder, max_seconds=5.0)
    with pytest.raises(Unreadable, match="max_seconds"):
        whole.read(0)
    cut = read(folder, max_seconds=5.0, window_seconds=5.0)
    assert len(cut.read(1)["sound"]) == 5 * RATE


def test_flac_from_a_pipe_says_that_its_length_is_unknown(folder):
    path = folder / "a" / "long.flac"
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # number of samples in STREAMINFO, 36 bits
    data[22:26] = bytes(4)
    path.write_bytes(data)
    for options in ({}, {"window_seconds": 4.0}):
        found = read(folder, **options)
        assert found.paths[0] == "a/long.flac"
        with pytest.raises(Unreadable, match="length is unknown"):
            found.read(0)


def test_a_sound_that_has_a_text_is_not_cut(folder):
    options = section(window_seconds=4.0, skip_silence=True)
    whole = AUDIO.decoder(options, whole=True)
    assert whole.cut is None and not whole.decode.skip_silence
    cut = AUDIO.decoder(options)
    assert cut.cut.loud and cut.decode.skip_silence
    layer = LogMel(rate=RATE, high=0.0)
    sizes = AUDIO.sizes((None,), options, layer)
    assert AUDIO.cut(sizes) == Cutting(4.0, True) and sizes["skip_silence"]
    sizes |= AUDIO.sizes((None,), preprocessor=AUDIO.sequence(layer))
    assert AUDIO.cut(sizes) is None and not sizes["skip_silence"]


def test_what_is_left_is_a_window_if_it_is_half_as_long(folder):
    assert read(folder, window_seconds=7.0).num_examples == 4
    assert read(folder, window_seconds=10.0).num_examples == 3
    soundfile.write(folder / "a/long.flac", np.zeros(15 * RATE), RATE)
    assert read(folder, window_seconds=10.0).num_examples == 4


def test_silent_windows_are_left_out_on_request(tmp_path):
    sound = np.random.default_rng(0).normal(scale=3000, size=10 * RATE)
    sound[2 * RATE : 6 * RATE] = 1
    soundfile.write(tmp_path / "a.wav", sound.astype(np.int16), RATE)
    found = read(tmp_path, window_seconds=2.0, skip_silence=True)
    assert [found.rows[row].start for row in range(3)] == [0, 6, 8]
    assert read(tmp_path, window_seconds=2.0).num_examples == 5


def test_loud_windows_are_found_if_they_are_no_whole_samples(tmp_path):
    sound = np.zeros(20_000)
    sound[18_000::2] = 0.5
    soundfile.write(tmp_path / "a.wav", sound, 1000)
    first, *_ = Cutting(0.0105, True)(tmp_path / "a.wav")
    assert first.start == pytest.approx(18, abs=0.0105)


def test_parts_are_items_by_the_name_of_their_seconds(folder):
    quiet = np.zeros(9 * RATE, np.int16)
    soundfile.write(folder / "quiet.wav", quiet, RATE)
    items = find_items(folder, (".wav", ".flac"), "sound", cut=Cutting(4, True))
    assert items.names == [
        *(f"a/long.flac@{part}" for part in ("0-4", "4-8", "8-10.6")),
        *("a/short.wav", "b/bad.wav", "quiet.wav@0-4", "quiet.wav@4-8"),
    ]
    part = items.read("a/long.flac@8-10.6")
    assert Reading(RATE)(part)[0] == 64_000 % 30_000 - 15_000
    assert items.read("a/short.wav") == folder / "a" / "short.wav"
    whole = size_and_time(folder / "quiet.wav")
    assert items.stat("quiet.wav@4-8") == whole


def test_names_of_parts_of_a_long_recording_are_exact(tmp_path):
    def cut(file):
        return [Piece(file, 12345.678, 0.96)]

    (name,) = names_of_parts(tmp_path, ["day.wav"], cut)
    assert name == "day.wav@12345.678-12346.638"


def test_pauses_are_taken_out_on_request():
    reading = Reading(RATE, skip_silence=True)
    sound = np.random.default_rng(0).normal(scale=0.1, size=6 * RATE)
    sound[RATE : 5 * RATE] = 0
    kept = reading(_npy(sound.astype(np.float32)))
    assert 2 * RATE < len(kept) < 2.6 * RATE


def _npy(array):

    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_part_is_read_where_it_lies(folder):
    path = str(folder / "a" / "long.flac")
    part = Reading(RATE)(Piece(path, 1.5, 2.0))
    whole = Reading(RATE)(path)
    np.testing.assert_array_equal(part, whole[12_000:28_000])


def test_arrays_of_waveforms_are_rows(tmp_path):
    sounds = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 800))
    short = np.arange(30, dtype=np.int16)
    np.savez(
        tmp_path / "a.npz",
        train_sounds=sounds.astype(np.float32),
        train_labels=np.array([0, 1, 1, 0]),
        test_sounds=short,
        test_sounds_offsets=np.array([0, 10, 30]),
    )
    decoder = AUDIO.decoder(section())
    train = load_arrays(tmp_path / "a.npz", "train", decoder)
    assert train.row_shape == (800,) and train.labels.tolist() == [0, 1, 1, 0]
    batch = train.take(np.arange(2))
    np.testing.assert_allclose(batch / 32768, sounds[:2], atol=1e-4)
    test = load_arrays(tmp_path / "a.npz", "test", decoder)
    batch = test.take(np.arange(2))
    assert batch["length"].tolist() == [10, 20]
    assert batch["sound"][1].tolist() == list(range(10, 30))
