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
    truly: Sequence[bool],
    seed: int,
) -> dict:
    """Measures delays, misses and false alarms in shuffled streams.

    Args:
        rule: when a count is a surge.
        topics: predicted topics of the test texts.
        negative: whether each is predicted to be negative.
        truly: whether each is negative; surges are made from these.
        seed: seed of the streams.

    Returns:
        `delay`, median minutes; `missed`, a share; `false_alarms` per week; and
        `surges`, delay and misses by size.
    """
    draws = np.random.default_rng(seed)
    topics, negative, truly = map(np.asarray, (topics, negative, truly))
    counts = _stream(draws, topics, negative)
    pools = _pools(topics, truly)
    result = {"surges": [], "false_alarms": _false_alarms(rule, counts)}
    delays = []
    for size in SIZES:
        found = []
        for _ in range(SURGES):
            topic = draws.choice(list(pools))
            hour = draws.integers(rule.warm_up, WEEKS * HOURS)
            before = counts[topic][max(0, hour - rule.baseline) : hour]
            planted = negative[draws.choice(pools[topic], size)]
            # Times of negative texts, in minutes of the hour.
            times = draws.random(counts[topic][hour] + planted.sum()) * 60
            over = int(rule.limit(before.tolist()))
            found.append(np.sort(times)[over] if len(times) > over else np.nan)
        delays += found
        result["surges"].append({"size": size, **_figures(found)})
    return {**result, **_figures(delays)}


def _stream(draws, topics, negative):
    """Returns the number of negative texts of each topic and hour."""
    counts = {t: np.zeros(WEEKS * HOURS, int) for t in np.unique(topics)}
    for hour in range(WEEKS * HOURS):
        drawn = draws.integers(len(topics), size=RATE)
        for topic, n in Counter(
            topics[drawn[negative[drawn]]].tolist()
        ).items():
            counts[topic][hour] = n
    return counts


def _pools(topics, truly):
    """Returns indices of truly negative texts, for the most frequent topics."""
    most = Counter(topics[truly].tolist()).most_common(TOPICS)
    return {t: np.nonzero(truly & (topics == t))[0] for t, _ in most}


def _false_alarms(rule, counts):
    """Returns alarms per week over all topics, in a stream without surges."""
    alarms, weeks = 0, (WEEKS * HOURS - rule.warm_up) / HOURS
    for series in counts.values():
        before = False
        for hour in range(rule.warm_up, len(series)):
            past = series[max(0, hour - rule.baseline) : hour]
            over = bool(series[hour] > rule.limit(past.tolist()))
            alarms += over and not before
            before = over
    return alarms / weeks


def _figures(delays):
    found = [d for d in delays if not np.isnan(d)]
    return {
        "delay": float(np.median(found)) if found else None,
        "missed": 1 - len(found) / len(delays),
    }
