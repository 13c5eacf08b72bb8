"""Checks of settings, with an error that names the setting."""

from collections.abc import Sequence


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
