"""Checks settings and optional libraries, with helpful errors."""

import contextlib
import importlib
import numbers
import re
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

MOST = 2**31 - 1  # bound of numbers in a configuration


@contextlib.contextmanager
def in_section(name: str = "") -> Iterator[None]:
    """Replaces the argument's name in a ValueError by the field's name.

    "`base_lr` must be ..." of a constructor becomes "optimizer.base_lr must be
    ...". Can be used as a decorator.

    Args:
        name: name of the section; "" for a field without.
    """
    prefix = f"{name}." if name else ""
    try:
        yield
    except ValueError as error:
        pattern = rf"^`(?:{re.escape(prefix)})?([\w.]+)`"
        text = re.sub(pattern, rf"{prefix}\1", str(error))
        raise ValueError(text) from error


def check_number(
    name: str, value: float, low: float, high: float = float("inf")
) -> float:
    """Returns the value if it is a number in [low, high]; else ValueError."""
    if not isinstance(value, numbers.Real) or not low <= value <= high:
        is_bounded = high < float("inf")
        bounds = (
            f"in [{low:g}, {high:g}]" if is_bounded else f"of at least {low:g}"
        )
        raise ValueError(
            f"`{name}` must be a number {bounds}. Received: {name}={value!r}"
        )
    return float(value)


def check_integer(name: str, value: int, low: int) -> int:
    """Returns the value if it is an integer >= `low`; else ValueError."""
    if not isinstance(value, numbers.Integral) or value < low:
        raise ValueError(
            f"`{name}` must be an integer of at least {low}. "
            f"Received: {name}={value!r}"
        )
    return value


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Returns the value if it is one of `choices`; else ValueError."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(str, choices))}. "
            f"Received: {name}={value!r}"
        )
    return value


def check_positive(
    name: str, value: float, high: float = float("inf")
) -> float:
    """Returns the value if it is a number in (0, high]; else ValueError."""
    if not isinstance(value, numbers.Real) or not 0 < value <= high:
        upper = f" and at most {high:g}" if high < float("inf") else ""
        raise ValueError(
            f"`{name}` must be a number above 0{upper}. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def check_fields(
    fields: Mapping[str, object], bounds: Mapping[str, float]
) -> None:
    """Raises a ValueError for a number that is never valid.

    That is a number that is not finite or beyond its field's bound, anything
    else in a list, and an unset field.

    Args:
        fields: values by name.
        bounds: largest values by name; 2**31 - 1 for the others.
    """
    for name, value in fields.items():
        bound = bounds.get(name, MOST)
        if value is None:
            raise ValueError(f"{name} must have a value. Received: {value}")
        is_list = isinstance(value, tuple | list)
        for entry in value if is_list else [value]:
            is_number = isinstance(entry, numbers.Real)
            if is_list and not is_number:
                raise ValueError(
                    f"{name} must hold numbers. Received: {value!r}"
                )
            if is_number and not abs(entry) <= bound:
                raise ValueError(
                    f"{name} must be finite and at most {bound:,}. "
                    f"Received: {value!r}"
                )


def check_range(
    name: str, value: tuple, above: float, high: float = float("inf")
) -> tuple[float, float]:
    """Returns the pair if above < low <= high; else ValueError."""
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
    """Raises a ValueError unless it lists distinct numbers >= `low`."""
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


def require(module: str, extra: str) -> ModuleType:
    """Imports an optional library when it is needed.

    Args:
        module: name of the module, such as "onnxruntime".
        extra: extra of this package that installs it, such as "onnx".

    Returns:
        The module.

    Raises:
        ValueError: if it is not installed or cannot be loaded. One line.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f'`pip install "byol-tf[{extra}]"` is needed: {module} cannot be '
            f"imported ({reason})"
        ) from error
