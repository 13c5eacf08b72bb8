"""Detects events in a continuous sound with a classifier."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from byol_tf.checks import check_number
from byol_tf.runs.encoder import Encoder

_SCALE = 32_768.0  # int16 value of 1.0


@dataclasses.dataclass(frozen=True)
class Listening:
    """Settings for a continuous sound.

    Attributes:
        window: seconds classified at once.
        hop: seconds between the starts of two windows.
        confidence: lowest probability of an event.
        silence: decibels below full scale; quieter windows are no events.
    """

    window: float
    hop: float
    confidence: float = 0.5
    silence: float = 50.0

    def __post_init__(self):
        check_number("window", self.window, 0.01, 60.0)
        check_number("hop", self.hop, 0.01, self.window)
        check_number("confidence", self.confidence, 0.0, 1.0)
        check_number("silence", self.silence, 0.0)

    def events(
        self, classifier: Encoder, blocks: Iterable[np.ndarray]
    ) -> Iterator[dict]:
        """Yields an event when it has ended.

        Consecutive windows with the same label are one event.

        Args:
            classifier: classifier of fixed windows.
            blocks: consecutive int16 `[samples]`.

        Yields:
            `start` and `end` in seconds, `label`, and its largest
            `probability`.
        """
        rate = classifier.sizes["rate"]
        size, hop = (round(x * rate) for x in (self.window, self.hop))
        classify = tf.function(
            functools.partial(_probabilities, classifier),
            autograph=False,
            reduce_retracing=True,
        )
        event = None
        for first, windows in windows_of(blocks, size, hop):
            probabilities = classify(tf.constant(windows)).numpy()
            loud = self._loud(windows)
            for index, (row, is_loud) in enumerate(
                zip(probabilities, loud, strict=True)
            ):
                start = first + index * hop
                ends = start / rate, (start + windows.shape[1]) / rate
                current = self._event(ends, row, is_loud, classifier.classes)
                if event and current and event["label"] == current["label"]:
                    event = _merged(event, current)
                    continue
                if event:
                    yield event
                event = current
        if event:
            yield event

    def _loud(self, windows):
        power = np.square(windows / _SCALE).mean(axis=1)
        return power > 10 ** (-self.silence / 10)

    def _event(self, ends, probabilities, is_loud, names) -> dict | None:
        best = int(np.argmax(probabilities))
        if not is_loud or not probabilities[best] >= self.confidence:
            return None
        return {
            "start": round(ends[0], 3),
            "end": round(ends[1], 3),
            "label": names[best],
            "probability": round(float(probabilities[best]), 4),
        }


def windows_of(
    blocks: Iterable[np.ndarray], size: int, hop: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Cuts consecutive blocks into windows, as they come.

    The rest at the end is a shorter window.

    Args:
        blocks: `[samples]` each.
        size: samples per window.
        hop: samples between the starts of two windows, at most `size`.

    Yields:
        The first sample of the first window, and windows `[n, size]`, at the
        end `[1, rest]`.
    """
    rest, first, uncovered = np.zeros(0, np.int16), 0, 0
    for block in blocks:
        rest, uncovered = np.concatenate([rest, block]), uncovered + len(block)
        count = (len(rest) - size) // hop + 1
        if count < 1:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(rest, size)
        yield first, np.array(windows[::hop][:count])
        # Samples that are in no window yet.
        uncovered = len(rest) - ((count - 1) * hop + size)
        rest, first = rest[count * hop :], first + count * hop
    if uncovered:
        yield first, rest[None]


def _probabilities(classifier, windows):
    prepared = classifier.preprocessor(windows)
    outputs = classifier.model(prepared, training=False)
    if not isinstance(outputs, Mapping):  # of release 0.2
        return outputs
    return outputs[classifier.task.prediction]


def _merged(event, following):
    probability = max(event["probability"], following["probability"])
    return {**event, "end": following["end"], "probability": probability}
