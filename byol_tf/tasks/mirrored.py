"""Finds which named points are swapped in a mirrored image."""

import re
from collections.abc import Sequence

_OTHER = {"left": "right", "Left": "Right", "LEFT": "RIGHT", "L": "R", "l": "r"}
_OTHER |= {right: left for left, right in _OTHER.items()}
# The words left and right; L or R as a capital without a following small
# letter, as in `pawLH` and `eyeL`; a separate l or r, as in `eye_l`.
_SIDE = re.compile(
    "[Ll]eft|LEFT|[Rr]ight|RIGHT|(?<![A-Z])[LR](?![a-z])"
    "|(?<![A-Za-z])[lr](?![A-Za-z])"
)


def mirrored(names: Sequence[str]) -> list[int]:
    """Finds for each point its counterpart in a mirrored image.

    A left point is paired with the one whose name has right instead and is
    otherwise the same, or the same except for digits, such as `paw1L`, `paw2R`.
    Other points keep their places.

    Args:
        names: names of the points.

    Returns:
        An index for each of them.
    """
    keys = [re.sub(r"\d", "", name) for name in names]
    places = []
    for place, (name, key) in enumerate(zip(names, keys, strict=True)):
        other, other_key = _swapped(name), _swapped(key)
        if other != name and other in names:
            place = names.index(other)
        elif other_key != key and (
            keys.count(key) == keys.count(other_key) == 1
        ):
            place = keys.index(other_key)
        places.append(place)
    return places


def described(names: Sequence[str]) -> str:
    """Says in one line which points are swapped."""
    pairs = [
        f"{name} and {names[other]}"
        for place, (name, other) in enumerate(
            zip(names, mirrored(names), strict=True)
        )
        if place < other
    ]
    if not pairs:
        return (
            "No view is mirrored: no names of points differ in left and "
            "right, such as left_eye and right_eye."
        )
    return f"In mirrored views change places: {', '.join(pairs)}."


def _swapped(name):
    return _SIDE.sub(lambda found: _OTHER[found[0]], name)
