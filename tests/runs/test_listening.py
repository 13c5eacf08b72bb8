"""Events in sounds that go on, of a model that looks at the mean alone."""

import types

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.runs.listening import Listening, windows_of

RATE = 100


def stand_in():
    """High where samples are positive, low where they are negative."""

    def model(batch, training):
        up = tf.sigmoid(tf.reduce_mean(batch, axis=1) / 100)
        return {"probabilities": tf.stack([1 - up, up], axis=1)}

    return types.SimpleNamespace(
        sizes={"rate": RATE},
        classes=("low", "high"),
        preprocessor=lambda rows: tf.cast(rows, tf.float32),
        model=model,
        task=types.SimpleNamespace(prediction="probabilities"),
    )


def sound(*pairs):
    """int16 samples of some levels, each for some seconds."""
    return np.concatenate(
        [np.full(int(s * RATE), level, np.int16) for level, s in pairs]
    )


@pytest.mark.parametrize("block", [7, 50, 10_000])
def test_windows_with_one_label_are_one_event(block):
    samples = sound((0, 2), (1000, 3), (-1000, 1), (0, 2), (1000, 0.5))
    blocks = np.split(samples, range(block, len(samples), block))
    listening = Listening(window=0.5, hop=0.25, confidence=0.9)
    events = list(listening.events(stand_in(), blocks))
    assert [e["label"] for e in events] == ["high", "low", "high"]
    found = [(e["start"], e["end"]) for e in events]
    # Half a window more on either side holds enough of it.
    expected = [(2, 5), (5, 6), (8, 8.5)]
    np.testing.assert_allclose(found, expected, atol=0.26)
    assert all(e["probability"] > 0.99 for e in events)


@pytest.mark.parametrize("seconds,end", [(0.3, 0.3), (1.1, 1.1)])
def test_an_event_ends_with_the_sound(seconds, end):
    listening = Listening(window=0.5, hop=0.25, confidence=0.9)
    (event,) = listening.events(stand_in(), [sound((1000, seconds))])
    assert (event["start"], event["end"]) == (0, end)


def test_silence_is_no_event():
    listening = Listening(window=0.5, hop=0.5, confidence=0.0, silence=40.0)
    assert list(listening.events(stand_in(), [sound((300, 3))])) == []
    (event,) = listening.events(stand_in(), [sound((400, 3))])
    assert (event["start"], event["end"]) == (0, 3)


@pytest.mark.parametrize("length", [3, 10, 11, 14, 100])
def test_windows_do_not_depend_on_the_blocks(length):
    samples = np.arange(length, dtype=np.int16)
    found = [
        (first + 4 * row, window)
        for first, windows in windows_of(np.split(samples, [2, 9]), 10, 4)
        for row, window in enumerate(windows)
    ]
    for start, window in found:
        assert window.tolist() == samples[start : start + 10].tolist()
    assert [start for start, _ in found] == list(range(0, len(found) * 4, 4))
    assert found[-1][0] + 10 >= length > found[-1][0]


def test_a_hop_beyond_the_window_is_refused():
    with pytest.raises(ValueError, match="hop"):
        Listening(window=0.5, hop=1.0)
