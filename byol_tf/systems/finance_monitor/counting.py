"""Counts negative texts by topic and window, and detects surges."""

import contextlib
import email.utils
import hashlib
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import poisson

from byol_tf.data import times
from byol_tf.files import parse_json

STATE = "finance_monitor_state.json"
_AHEAD_S = 86400.0  # tolerated clock difference: a day
_UNREADABLE = (AttributeError, OverflowError, TypeError, ValueError)
_MAD = 1.4826  # MAD to standard deviation, for a normal distribution
TEXTS = 5  # texts listed in an alarm


class Item(NamedTuple):
    """A text of a stream, with its time in seconds and its id."""

    text: str
    time: float
    key: str


class Rule(NamedTuple):
    """When a count is a surge; see `configs/finance_monitor.py`."""

    window_s: float
    baseline: int
    warm_up: int
    deviations: float
    tail: float
    least: int

    def limit(self, counts: Sequence[int]) -> float | None:
        """Returns the count above which there is a surge.

        Args:
            counts: counts of the windows before.

        Returns:
            The limit; None with too few windows.
        """
        if len(counts) < self.warm_up:
            return None
        middle = statistics.median(counts)
        spread = statistics.median(abs(n - middle) for n in counts)
        poisson_limit = poisson.isf(self.tail, max(middle, 0.5))
        mad_limit = middle + self.deviations * _MAD * spread
        return max(mad_limit, float(poisson_limit), self.least - 1)


def parse(line: str | bytes, now: float) -> Item:
    """Parses a line: JSON with `text` and optionally `time` and `id`.

    Args:
        line: line of a stream, UTF-8.
        now: time for a text without one, in seconds.

    Raises:
        ValueError: if the line is invalid.
    """
    if isinstance(line, bytes):
        line = line.decode("utf-8-sig")  # its error is a ValueError
    try:
        row = parse_json(line)
    except ValueError:
        row = None
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise ValueError('a line must be JSON such as {"text": "..."}')
    if not text.strip():
        raise ValueError("its text is empty")
    text.encode()  # half a surrogate pair cannot be written
    time, key = row.get("time"), row.get("id")
    time = now if time in (None, "") else _seconds(time)
    if time > now + _AHEAD_S:
        raise ValueError(f"the time {row['time']!r} is more than a day ahead")
    return Item(text, time, "" if key is None else str(key))


def _seconds(value):
    """Returns seconds since 1970 of a number, an ISO date or a mail's date."""
    for read in (times.of_text, _mail_time):
        with contextlib.suppress(*_UNREADABLE):
            if (time := read(value)) >= 0:  # NaN is not
                return time
    raise ValueError(
        "a time must be a number of seconds since 1970, or a date such as "
        f"2024-05-01T12:30:00Z. Received: {value!r}"
    )


def _mail_time(value):
    return times.of_date(email.utils.parsedate_to_datetime(value))


class Monitor:
    """Counts each text of a stream once, and gives each alarm once.

    Args:
        rule: when a count is a surge.
        state: `state` of an earlier process; None: a new one.

    Attributes:
        state: the complete state, as JSON values.

    Raises:
        ValueError: if the state has windows of another length.
    """

    def __init__(self, rule: Rule, state: dict | None = None):
        self.rule = rule
        self.state = state or {
            "counts": {},  # by window, then topic: all, negative
            "seen": {},  # by window: keys of texts
            "texts": {},  # by window, then topic: the latest negative ones
            "over": {},  # by topic: windows above their limit
            "alarms": [],
            "places": {},  # by file: bytes that were read
            "counted": 0,
            "twice": 0,
            "late": 0,
            "wrong": 0,
        }
        window_s = self.state.setdefault("window_s", rule.window_s)
        if window_s != rule.window_s:
            raise ValueError(
                f"the state has windows of {window_s:g} s, not of "
                f"{rule.window_s:g}; give --config.window_s={window_s:g}, or "
                f"delete {STATE} in the run folder to begin anew"
            )

    def add(self, item: Item, topic: str, negative: bool) -> dict | None:
        """Counts a text.

        Returns:
            An alarm, if the text is the first above the limit of a surge.
        """
        state, window = self.state, int(item.time // self.rule.window_s)
        name = str(window)
        newest = max(map(int, state["counts"]), default=window)
        if window < newest - self.rule.baseline:
            state["late"] += 1
            return None
        key = item.key or hashlib.sha1(item.text.encode()).hexdigest()
        if self._is_known(key, name, bool(item.key)):
            state["twice"] += 1
            return None
        state["seen"].setdefault(name, {})[key] = 1
        count = state["counts"].setdefault(name, {}).setdefault(topic, [0, 0])
        count[0] += 1
        count[1] += negative
        state["counted"] += 1
        if window > newest:
            self._forget(window)
        if not negative:
            return None
        texts = state["texts"].setdefault(name, {}).setdefault(topic, [])
        texts[:] = [*texts, item.text][-TEXTS:]
        return self._alarm(item, topic, window, texts)

    def negatives(self, topic: str, window: int) -> list[int]:
        """Returns counts of earlier windows, leaving out gaps of the stream."""
        counts, first = self.state["counts"], window - self.rule.baseline
        return [
            by_topic.get(topic, (0, 0))[1]
            for name, by_topic in counts.items()
            if first <= int(name) < window
        ]

    def _alarm(self, item, topic, window, texts):
        surges = self.state["over"]
        count = self.state["counts"][str(window)][topic][1]
        limit = self.rule.limit(self.negatives(topic, window))
        if limit is None or count <= limit:
            return None
        windows = surges.get(topic, [])
        # Earlier releases kept only the last one.
        windows = windows if isinstance(windows, list) else [windows]
        surges[topic] = sorted({*windows, window})
        if {window - 1, window, window + 1} & {*windows}:
            return None  # the same surge
        alarm = {
            "topic": topic,
            "time": item.time,
            "window": window,
            "negative": count,
            "limit": limit,
            "texts": list(texts),
        }
        self.state["alarms"].append(alarm)
        return alarm

    def _is_known(self, key, window, named):
        """Returns whether a text came before; without id in the same window."""
        seen = self.state["seen"]
        windows = seen if named else [window]
        return any(key in seen.get(name, ()) for name in windows)

    def _forget(self, newest):
        """Drops windows before the baseline, and texts after two windows."""
        for part in ("counts", "seen", "texts"):
            oldest = newest - (2 if part == "texts" else self.rule.baseline)
            entries = self.state[part]
            self.state[part] = {
                n: v for n, v in entries.items() if int(n) >= oldest
            }
