"""Checks of settings, with an error that names the setting."""

from collections.abc import Mapping, Sequence

MOST = 2**31 - 1  # of any number in a configuration


def check_number(
    name: str, value: float, low: float, high: float = float("inf")
) -> float:
    """The value, if it is a number in [low, high]; else a ValueError."""
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(
            f"`{name}` must be a number in [{low:g}, {high:g}]. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def check_positive(
    name: str, value: float, high: float = float("inf")
) -> float:
    """The value, if it is a number above 0, at most `high`."""
    if not isinstance(value, (int, float)) or not 0 < value <= high:
        raise ValueError(
            f"`{name}` must be a number above 0 and at most {high:g}. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def check_fields(
    fields: Mapping[str, object], most: Mapping[str, float]
) -> None:
    """Raises a ValueError for a number that nothing could use.

    That is one that is not finite or beyond the bound of its field, anything
    else in a list, and a field that is unset.

    Args:
        fields: values by name.
        most: bounds by name; 2**31 - 1 for the others.
    """
    for name, value in fields.items():
        bound = most.get(name, MOST)
        if value is None:
            raise ValueError(f"{name} must have a value. Received: {value}")
        several = isinstance(value, tuple | list)
        for entry in value if several else [value]:
            number = isinstance(entry, (int, float))
            if several and not number:
                raise ValueError(
                    f"{name} must hold numbers. Received: {value!r}"
                )
            if number and not abs(entry) <= bound:
                raise ValueError(
                    f"{name} must be finite and at most {bound:,}. "
                    f"Received: {value!r}"
                )


def check_range(
    name: str, value: tuple, above: float, high: float = float("inf")
) -> tuple[float, float]:
    """The pair, if above < low <= high; else a ValueError."""
    try:
        first, second = map(float, value)
    except (TypeError, ValueError):
        first = second = float("nan")
    if not above < first <= second <= high:
        raise ValueError(
            f"`{name}` must be a pair (low, high) with {above:g} < low <= "
            f"high <= {high:g}. Received: {name}={value!r}"
        )
    return (first, second)


def check_list(name: str, values: Sequence[float], low: float) -> None:
    """Raises a ValueError unless it lists different numbers from `low` on."""
    if not isinstance(values, tuple | list) or not values:
        raise ValueError(
            f"`{name}` must be a list of numbers. Received: {values!r}"
        )
    for value in values:
        check_number(name, value, low)
    check_different(name, values)


def check_different(name: str, values: Sequence) -> None:
    """Raises a ValueError if a value occurs twice."""
    if len(set(values)) < len(values):
        raise ValueError(
            f"`{name}` must hold different values. Received: {values!r}"
        )
