"""Recordings are cut where nothing is said."""

import numpy as np
import pytest

from byol_tf.data.recordings import pauses

RATE = 8000


def recording(*pairs):
    """Seconds of noise and of near silence, by turns."""
    rng = np.random.default_rng(0)
    parts = []
    for loud, quiet in pairs:
        parts.append(rng.normal(scale=4000, size=int(loud * RATE)))
        parts.append(rng.normal(scale=5, size=int(quiet * RATE)))
    return np.int16(np.concatenate(parts).clip(-32000, 32000))


def test_a_short_sound_is_one_part():
    assert pauses.parts_of(recording((1, 2)), RATE) == [(0, 3)]


def test_a_long_one_is_cut_at_pauses_and_parts_join_below_the_limit():
    sound = recording((4, 1), (5, 0.1), (2, 2), (3, 0.5), (6, 1))
    parts = np.array(pauses.parts_of(sound, RATE))
    expected = [(0, 4), (5, 12.1), (14.1, 23.6)]
    around = pauses.AROUND * np.array([-1, 1])
    wanted = np.maximum(np.array(expected) + around, 0)
    np.testing.assert_allclose(parts, wanted, atol=0.021)
    assert (parts[:, 1] - parts[:, 0] < pauses.LONGEST + 0.5).all()


def test_what_has_no_pause_is_cut_where_it_is_least_loud():
    sound = recording((25, 0))
    sound[9 * RATE : 9 * RATE + 200] //= 3  # 25 ms, no pause
    parts = pauses.parts_of(sound, RATE)
    assert len(parts) == 3
    assert parts[0][1] == pytest.approx(9.01 + pauses.AROUND, abs=0.02)
    assert parts[-1][1] == 25


@pytest.mark.parametrize("level", [0, 1])
def test_silence_has_no_parts(level):
    sound = np.full(20 * RATE, level, np.int16)
    assert pauses.parts_of(sound, RATE) == []
    assert len(pauses.without_silence(sound, RATE)) == len(sound)


def test_silence_is_taken_out_but_for_what_is_around_words():
    sound = recording((1, 2), (1, 0.2), (1, 3))
    kept = pauses.without_silence(sound, RATE)
    expected = 3.2 + 3 * pauses.AROUND
    assert len(kept) / RATE == pytest.approx(expected, abs=0.05)


def test_parts_lie_where_they_sound_at_rates_without_whole_hundredths():
    rate = 22_050  # 220.5 samples in a hundredth of a second
    sound = np.zeros(200 * rate, np.int16)
    sound[190 * rate : 195 * rate : 2] = 9000
    wanted = 190 - pauses.AROUND, 195 + pauses.AROUND
    (part,) = pauses.parts_of(sound, rate)
    np.testing.assert_allclose(part, wanted, atol=0.021)
