"""The search space: a list of fields and their ranges."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from byol_tf.checks import check_different

VIEWS = ("views",)
KINDS = ("log", "float", "int", "choice")


@dataclasses.dataclass(frozen=True)
class Dimension:
    """A field to search.

    Attributes:
        field: dotted name in the configuration.
        kind: `log` and `float` are real numbers, uniform in their logarithm or
            themselves; `int`; or `choice`.
        values: lowest and highest value, both included; or the choices.
    """

    field: str
    kind: str
    values: tuple

    def suggest(self, trial) -> Any:
        """Returns a value for an Optuna trial; the one it has, if any."""
        if self.kind == "choice":
            return trial.suggest_categorical(self.field, self.values)
        low, high = self.values
        if self.kind == "int":
            return trial.suggest_int(self.field, low, high)
        log = self.kind == "log"
        return trial.suggest_float(self.field, low, high, log=log)


def parse_space(
    entries: Sequence[Sequence], strength: Sequence = VIEWS
) -> list[Dimension]:
    """Parses and checks dimensions.

    Args:
        entries: each `(field, "log" | "float" | "int", low, high)` or `(field,
            "choice", value, ...)`. Choices other than numbers, texts or bools,
            such as tuples, become text. `("views",)` stands for `strength`.
        strength: entry for the views of the kind of data, see `Modality`.

    Raises:
        ValueError: for an invalid entry. One line.
    """
    if not entries:
        raise ValueError(
            "`space` must name a field to search, such as "
            "('optimizer.base_lr', 'log', 1e-3, 1e-1)"
        )
    views = VIEWS, list(VIEWS)
    entries = [strength if entry in views else entry for entry in entries]
    dimensions = [_dimension(entry) for entry in entries]
    check_different("fields of the space", [d.field for d in dimensions])
    return dimensions


def _dimension(entry):
    values = None
    if isinstance(entry, tuple | list) and len(entry) >= 4:
        _, kind, *values = entry
        is_choice = kind == "choice"
        values = _choices(values) if is_choice else _range(kind, values)
    if not values or not isinstance(entry[0], str):
        raise ValueError(
            "`space` must hold (field, 'log' | 'float' | 'int', low, high), "
            "low < high and above 0 for log, or (field, 'choice', value, "
            f"value, ...). Received: {entry!r}"
        )
    if entry[0] == "seed":
        raise ValueError("`space` must not hold the seed, which all share")
    return Dimension(entry[0], entry[1], values)


def _choices(values):
    """Returns values as Optuna stores them; None if they repeat."""
    plain = tuple(
        value if isinstance(value, bool | int | float | str) else str(value)
        for value in values
    )
    return plain if len(set(plain)) == len(plain) else None


def _range(kind, values):
    """Returns lowest and highest value; None if they are no range."""
    types = {"log": (int, float), "float": (int, float), "int": (int,)}
    is_range = len(values) == 2 and all(
        type(value) in types.get(kind, ()) for value in values
    )
    if not is_range or not values[0] < values[1] < math.inf:
        return None
    return None if kind == "log" and values[0] <= 0 else tuple(values)
