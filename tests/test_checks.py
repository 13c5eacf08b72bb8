"""Checks of settings: what is taken, and what an error says."""

import numpy as np
import pytest

from byol_tf import checks


def error_of(call, *arguments, **options):
    with pytest.raises(ValueError) as error:
        call(*arguments, **options)
    return str(error.value)


@pytest.mark.parametrize("value", [2, 2.5, np.int64(3), np.float32(2.0)])
def test_numbers_of_numpy_are_numbers(value):
    assert checks.check_number("n", value, 2) == float(value)
    assert checks.check_positive("n", value) == float(value)


@pytest.mark.parametrize("value", [1.9, float("nan"), "2", None, (2,)])
def test_what_is_too_small_or_no_number_is_refused(value):
    told = error_of(checks.check_number, "n", value, 2)
    assert told == f"`n` must be a number of at least 2. Received: n={value!r}"


def test_a_bound_from_above_is_told():
    assert "in [0, 1]" in error_of(checks.check_number, "n", 2, 0, 1)
    told = error_of(checks.check_positive, "n", 5, 4.0)
    assert "above 0 and at most 4." in told


@pytest.mark.parametrize("value", [0, 1.0, "1"])
def test_an_integer_is_one_and_large_enough(value):
    assert "at least 1" in error_of(checks.check_integer, "n", value, 1)
    assert checks.check_integer("n", np.int32(1), 1) == 1


def test_a_choice_is_told_all_there_are():
    told = error_of(checks.check_choice, "n", "c", ("a", "b"))
    assert told == "`n` must be one of a, b. Received: n='c'"


@pytest.mark.parametrize(
    "section,message,told",
    [
        ("optimizer", "`lr` must fit", "optimizer.lr must fit"),
        ("optimizer", "`optimizer.lr` must fit", "optimizer.lr must fit"),
        ("", "`monitor.every` must fit", "monitor.every must fit"),
        ("optimizer", "the data has no `lr`", "the data has no `lr`"),
    ],
)
def test_an_error_calls_the_argument_as_its_field(section, message, told):
    @checks.in_section(section)
    def fail():
        raise ValueError(message)

    for _ in range(2):  # a decorated function can be called again
        assert error_of(fail) == told


def test_sections_within_each_other_name_the_inner_one():
    def fail():
        with checks.in_section(), checks.in_section("heads"):
            checks.check_number("hidden_size", -1, 0)

    assert error_of(fail).startswith("heads.hidden_size must be")
