"""byol_tf.jobs.tune.space and byol_tf.jobs.tune.correlation."""

import itertools
import math

import pytest

from byol_tf.jobs.tune.results import rank_correlation
from byol_tf.jobs.tune.space import parse_space


class Trial:
    """Notes what is asked of it."""

    def __init__(self):
        self.asked = []

    def suggest_float(self, name, low, high, log):
        self.asked.append((name, low, high, log))

    def suggest_int(self, name, low, high):
        self.asked.append((name, low, high))

    def suggest_categorical(self, name, choices):
        self.asked.append((name, choices))


def test_each_kind_is_asked_of_optuna_in_its_way():
    space = parse_space(
        [
            ("lr", "log", 1e-3, 1),
            ("tau", "float", 0.5, 0.9),
            ("epochs", "int", 2, 5),
            ("area", "choice", (0.2, 1.0), (0.4, 1.0)),
            ("flip", "choice", True, False),
        ]
    )
    trial = Trial()
    for dimension in space:
        dimension.suggest(trial)
    assert trial.asked == [
        ("lr", 1e-3, 1, True),
        ("tau", 0.5, 0.9, False),
        ("epochs", 2, 5),
        ("area", ("(0.2, 1.0)", "(0.4, 1.0)")),
        ("flip", (True, False)),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "lr",
        ("lr", "log", 1e-3),
        ("lr", "log", 0.0, 1.0),
        ("lr", "log", 1.0, 1e-3),
        ("lr", "log", 1e-3, float("nan")),
        ("lr", "logs", 1e-3, 1.0),
        ("epochs", "int", 1.5, 3),
        ("name", "choice", "a", "a"),
        ("flip", "float", False, True),
        (3, "float", 0.0, 1.0),
    ],
)
def test_what_is_no_dimension_is_an_error_that_shows_it(entry):
    with pytest.raises(ValueError, match="`space` must hold") as raised:
        parse_space([entry])
    assert repr(entry) in str(raised.value)


@pytest.mark.parametrize(
    "entries,match",
    [
        ([], "field to search"),
        ([("a", "float", 0, 1), ("a", "float", 1, 2)], "different"),
        ([("seed", "int", 0, 5)], "seed"),
    ],
)
def test_an_impossible_space_is_an_error(entries, match):
    with pytest.raises(ValueError, match=match):
        parse_space(entries)


def test_kendall_counts_the_pairs_in_order():
    first, second = [1, 2, 3, 4, 5], [2.0, 1.0, 4.0, 3.0, 5.0]
    agree = [
        math.copysign(1, (first[i] - first[j]) * (second[i] - second[j]))
        for i, j in itertools.combinations(range(5), 2)
    ]
    found = rank_correlation(first, second)
    assert found["kendall"] == pytest.approx(sum(agree) / len(agree))
    # Of ranks without ties: 1 - 6 sum(d²) / (n (n² - 1)).
    squares = sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
    assert found["spearman"] == pytest.approx(1 - 6 * squares / (5 * 24))
    assert found["trials"] == 5


def test_pairs_with_an_unknown_side_do_not_count():
    found = rank_correlation([1, None, 2, 3, math.nan], [3, 9, 2, 1, 9])
    assert found == {
        "spearman": pytest.approx(-1), "kendall": pytest.approx(-1),
        "trials": 3,
    }  # fmt: skip
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
