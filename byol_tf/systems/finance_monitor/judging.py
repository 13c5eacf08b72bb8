"""Evaluates alarms: plants surges into streams of test texts."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from byol_tf.systems.finance_monitor.counting import Rule

RATE = 1000  # texts per hour
SIZES = (10, 20, 40, 80)  # negative texts per surge, within an hour
WEEKS, HOURS = 4, 168
SURGES = 40  # surges per size
TOPICS = 3  # number of topics with planted surges


def judge(
    rule: Rule,
    topics: Sequence[str],
    negative: Sequence[bool],
    truly_negative: Sequence[bool],
    seed: int,
) -> dict:
    """Measures delays, misses and false alarms in shuffled streams.

    Args:
        rule: when a count is a surge.
        topics: predicted topics of the test texts.
        negative: whether each is predicted to be negative.
        truly_negative: whether each is negative; surges are made from these.
        seed: seed of the streams.

    Returns:
        `delay`, median minutes; `missed`, a share; `false_alarms` per week; and
        `surges`, delay and misses by size.
    """
    draws = np.random.default_rng(seed)
    topics, negative, truly_negative = map(
        np.asarray, (topics, negative, truly_negative)
    )
    counts = _stream(draws, topics, negative)
    pools = _pools(topics, truly_negative)
    result = {"surges": [], "false_alarms": _false_alarms(rule, counts)}
    delays = []
    for size in SIZES:
        size_delays = []
        for _ in range(SURGES):
            topic = draws.choice(list(pools))
            hour = draws.integers(rule.warm_up, WEEKS * HOURS)
            before = counts[topic][max(0, hour - rule.baseline) : hour]
            surge = negative[draws.choice(pools[topic], size)]
            # Times of negative texts, in minutes of the hour.
            times = draws.random(counts[topic][hour] + surge.sum()) * 60
            limit = int(rule.limit(before.tolist()))
            size_delays.append(
                np.sort(times)[limit] if len(times) > limit else np.nan
            )
        delays += size_delays
        result["surges"].append({"size": size, **_figures(size_delays)})
    return {**result, **_figures(delays)}


def _stream(draws, topics, negative):
    """Returns the number of negative texts of each topic and hour."""
    counts = {t: np.zeros(WEEKS * HOURS, int) for t in np.unique(topics)}
    for hour in range(WEEKS * HOURS):
        indices = draws.integers(len(topics), size=RATE)
        for topic, n in Counter(
            topics[indices[negative[indices]]].tolist()
        ).items():
            counts[topic][hour] = n
    return counts


def _pools(topics, truly_negative):
    """Returns indices of truly negative texts, for the most frequent topics."""
    frequent = Counter(topics[truly_negative].tolist()).most_common(TOPICS)
    return {
        t: np.nonzero(truly_negative & (topics == t))[0] for t, _ in frequent
    }


def _false_alarms(rule, counts):
    """Returns alarms per week over all topics, in a stream without surges."""
    alarms, weeks = 0, (WEEKS * HOURS - rule.warm_up) / HOURS
    for series in counts.values():
        was_over = False
        for hour in range(rule.warm_up, len(series)):
            past = series[max(0, hour - rule.baseline) : hour]
            is_over = bool(series[hour] > rule.limit(past.tolist()))
            alarms += is_over and not was_over
            was_over = is_over
    return alarms / weeks


def _figures(delays):
    detected = [d for d in delays if not np.isnan(d)]
    return {
        "delay": float(np.median(detected)) if detected else None,
        "missed": 1 - len(detected) / len(delays),
    }
