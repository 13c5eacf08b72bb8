"""byol_tf.data.times."""

import pytest

from byol_tf.data import times

MAY = 1714521600  # 2024-05-01


@pytest.mark.parametrize(
    "value",
    [
        *("2024-05-01", "20240501", 20240501, " 2024-05-01T00:00Z "),
        *(MAY, str(MAY), MAY * 1000, f"{MAY}000000"),
    ],
)
def test_a_day_has_many_forms(value):
    assert times.of_text(value) == MAY


def test_a_number_that_is_no_day_is_seconds():
    assert times.of_text("20000060") == 20000060


@pytest.mark.parametrize("value", ["soon", "nan", "inf", True, ""])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(ValueError):
        times.of_text(value)
