"""Checks of settings and of optional libraries, with errors that say what."""

import contextlib
import importlib
import numbers
import re
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

MOST = 2**31 - 1  # of any number in a configuration


@contextlib.contextmanager
def in_section(name: str = "") -> Iterator[None]:
    """Calls the argument that a ValueError begins with as its field is called.

    "`base_lr` must be ..." of a constructor becomes "optimizer.base_lr must
    be ...". Also a decorator.

    Args:
        name: of the section; "" for a field without.
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
    """The value, if it is a number in [low, high]; else a ValueError."""
    if not isinstance(value, numbers.Real) or not low <= value <= high:
        bounded = high < float("inf")
        wanted = (
            f"in [{low:g}, {high:g}]" if bounded else f"of at least {low:g}"
        )
        raise ValueError(
            f"`{name}` must be a number {wanted}. Received: {name}={value!r}"
        )
    return float(value)


def check_integer(name: str, value: int, low: int) -> int:
    """The value, if it is an integer of at least `low`; else a ValueError."""
    if not isinstance(value, numbers.Integral) or value < low:
        raise ValueError(
            f"`{name}` must be an integer of at least {low}. "
            f"Received: {name}={value!r}"
        )
    return value


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """The value, if it is one of `choices`; else a ValueError."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(str, choices))}. "
            f"Received: {name}={value!r}"
        )
    return value


def check_positive(
    name: str, value: float, high: float = float("inf")
) -> float:
    """The value, if it is a number above 0, at most `high`."""
    if not isinstance(value, numbers.Real) or not 0 < value <= high:
        most = f" and at most {high:g}" if high < float("inf") else ""
        raise ValueError(
            f"`{name}` must be a number above 0{most}. "
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
            number = isinstance(entry, numbers.Real)
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


def require(module: str, extra: str) -> ModuleType:
    """Imports a library of an optional part, where that part is used.

    Args:
        module: what is imported, such as "onnxruntime".
        extra: of this package, which installs it, such as "onnx".

    Returns:
        The module.

    Raises:
        ValueError: in one line, if it is not installed or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f'`pip install "byol-tf[{extra}]"` is needed: {module} cannot be '
            f"imported ({reason})"
        ) from error
