"""Counts, alarms and their rule, on streams of a few windows."""

import json

import pytest
from scipy.stats import poisson

from byol_tf.systems.finance_monitor.counting import (
    Item,
    Monitor,
    Rule,
    parse,
)

HOUR = 3600.0
RULE = Rule(HOUR, baseline=10, warm_up=4, deviations=5, tail=1e-4, least=3)


def send(monitor, hour, count, negative=True, topic="oil"):
    items = [Item(f"{hour} {n}", hour * HOUR + n, "") for n in range(count)]
    alarms = [monitor.add(item, topic, negative) for item in items]
    return [alarm for alarm in alarms if alarm]


@pytest.fixture
def monitor():
    made = Monitor(RULE)
    for hour in range(6):
        assert not send(made, hour, 2)
    return made


def test_a_limit_is_the_larger_of_deviations_and_chance():
    calm = poisson.isf(1e-4, 2)
    assert RULE.limit([2, 2, 2, 2]) == calm
    assert RULE.limit([0, 10, 20, 30]) == 15 + 5 * 1.4826 * 10
    assert RULE.limit([2, 2, 2]) is None


def test_a_surge_gives_one_alarm_with_the_texts_that_caused_it(monitor):
    (alarm,) = send(monitor, 6, 30)
    assert alarm["topic"] == "oil" and alarm["negative"] == alarm["limit"] + 1
    assert alarm["texts"][-1] == f"6 {alarm['negative'] - 1}"
    assert not send(monitor, 7, 30)  # it goes on
    assert not send(monitor, 8, 2) and not send(monitor, 9, 2)
    assert len(send(monitor, 10, 30)) == 1  # another one


def test_late_texts_of_an_earlier_window_do_not_repeat_an_alarm(monitor):
    assert len(send(monitor, 6, 30)) == 1
    late = [Item(f"late {n}", 5 * HOUR, "") for n in range(30)]
    assert not [x for x in late if monitor.add(x, "oil", True)]
    assert not monitor.add(Item("more", 6 * HOUR, ""), "oil", True)


def test_a_surge_of_late_texts_is_one_of_its_own(monitor):
    send(monitor, 6, 2)
    assert len(send(monitor, 7, 30)) == 1
    late = [Item(f"late {n}", 4 * HOUR, "") for n in range(30)]
    (alarm,) = filter(None, [monitor.add(x, "oil", True) for x in late])
    assert alarm["window"] == 4
    assert not send(monitor, 8, 30)  # goes on from 7


def test_a_state_of_an_earlier_release_is_read(monitor):
    monitor.state["over"] = {"oil": 5}
    assert not send(monitor, 6, 30)


def test_texts_that_are_not_negative_raise_no_alarm(monitor):
    assert not send(monitor, 6, 100, negative=False)


def test_gaps_of_a_stream_are_no_windows_without_negatives():
    monitor = Monitor(RULE)
    for hour in (0, 1, 100, 101):
        send(monitor, hour, 2)
    assert monitor.negatives("oil", 102) == [2, 2]


def test_late_and_repeated_texts_are_counted_once(monitor):
    send(monitor, 5, 2)  # the same texts again
    assert monitor.state["twice"] == 2
    late = Item("late", 3 * HOUR, "a")
    monitor.add(late, "oil", True)
    monitor.add(late._replace(time=5 * HOUR), "oil", True)
    assert monitor.state["twice"] == 3
    assert monitor.negatives("oil", 4) == [2, 2, 2, 3]
    send(monitor, 50, 1)
    send(monitor, 6, 1)
    assert monitor.state["late"] == 1 and monitor.state["counted"] == 14


def test_a_state_as_json_goes_on_as_the_process_would(monitor):
    again = Monitor(RULE, json.loads(json.dumps(monitor.state)))
    assert send(again, 6, 30) == send(monitor, 6, 30)
    assert not send(Monitor(RULE, again.state), 7, 30)


def test_an_id_of_null_is_none():
    assert parse('{"text": "a", "id": null}', now=1.0).key == ""
    assert parse('{"text": "a", "id": 0}', now=1.0).key == "0"


def test_a_state_with_other_windows_is_refused(monitor):
    with pytest.raises(ValueError, match="of 3600 s, not of 60"):
        Monitor(RULE._replace(window_s=60.0), monitor.state)


@pytest.mark.parametrize(
    "time",
    [
        *(1714566600, 1714566600000, "1714566600", "2024-05-01T12:30:00Z"),
        *("2024-05-01 12:30", "2024-05-01T14:30:00+02:00"),
        "Wed, 01 May 2024 12:30:00 GMT",
    ],
)
def test_times_in_many_forms(time):
    item = parse(json.dumps({"text": "a", "time": time}), now=2e9)
    assert item.time == 1714566600


@pytest.mark.parametrize(
    "line,message",
    [
        ('{"words": "a"}', "a line must be JSON such as"),
        ("[]", "a line must be JSON such as"),
        ('{"text": " "}', "its text is empty"),
        ('{"text": "a", "time": "soon"}', "a time must be a number"),
        ('{"text": "a", "time": NaN}', "a time must be a number"),
        ('{"text": "a", "time": -1}', "a time must be a number"),
        ('{"text": "a", "time": [1]}', "a time must be a number"),
        ('{"text": "a", "time": 1%s}' % ("0" * 400), "a time must be a"),
        (r'{"text": "\ud800"}', "surrogates not allowed"),
        ('{"text": "a", "time": 9e9}', "more than a day ahead"),
        ("{", "a line must be JSON such as"),
        (b"\xff", "decode"),
    ],
)
def test_a_wrong_line_is_refused_with_the_reason(line, message):
    with pytest.raises(ValueError, match=message):
        parse(line, now=1.0)
