"""Overrides of a configuration, as the command line has them."""

from collections.abc import Iterable


def merged(overrides: Iterable[str]) -> tuple[str, ...]:
    """One value for each field: the last of several.

    Args:
        overrides: "field=value".

    Raises:
        ValueError: one reads otherwise.
    """
    values = {}
    for override in overrides:
        field, equals, value = str(override).partition("=")
        if not (field and equals):
            raise ValueError(
                "an override must read field=value, such as "
                f"objective.tau=0.99. Received: {override!r}"
            )
        values[field] = value
    return tuple(f"{field}={value}" for field, value in values.items())
