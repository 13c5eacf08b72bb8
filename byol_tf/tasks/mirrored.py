"""Finds which named points are swapped in a mirrored image."""

import re
from collections.abc import Sequence

import numpy as np

_OTHER = {"left": "right", "Left": "Right", "LEFT": "RIGHT", "L": "R", "l": "r"}
_OTHER |= {right: left for left, right in _OTHER.items()}
_FEW, _MOST = 5, 200  # poses that are compared
_FAR = 2.0
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


def is_one_sided(points: np.ndarray, partners: Sequence[int]) -> bool:
    """Says whether poses never come near the mirror image of another.

    It is so where a camera always sees the same side. Mirrored views then
    teach what does not occur.

    Args:
        points: places `[n, points, 2]`, NaN for hidden points.
        partners: of each point, see `mirrored`.

    Returns:
        Whether the nearest mirror image of a pose is farther than twice the
        usual distance of two poses; both medians, of poses that are centred
        and scaled. False for fewer than `_FEW` poses.
    """
    seen = np.isfinite(points).all(axis=-1).sum(axis=1) >= 2
    chosen = np.flatnonzero(seen)
    chosen = chosen[:: max(len(chosen) // _MOST, 1)]
    if len(chosen) < _FEW:
        return False
    poses = points[chosen] - np.nanmean(points[chosen], axis=1, keepdims=True)
    low, high = np.nanmin(poses, axis=1), np.nanmax(poses, axis=1)
    poses = poses / np.maximum((high - low).max(axis=1), 1e-6)[:, None, None]
    between = _distances(poses, poses)
    usual = np.nanmedian(between[~np.eye(len(poses), dtype=bool)])
    turned = (poses * (-1, 1))[:, list(partners)]
    nearest = np.nanmin(_distances(poses, turned), axis=1)
    return bool(np.nanmedian(nearest) > _FAR * usual)


def _distances(poses, others):
    """Averages distances of points that both have; infinite without any."""
    apart = np.linalg.norm(poses[:, None] - others[None], axis=-1)
    both = np.isfinite(apart)
    total = np.where(both, apart, 0.0).sum(axis=-1)
    count = both.sum(axis=-1)
    return np.where(count, total / np.maximum(count, 1), np.inf)


def described(names: Sequence[str], one_sided: bool = False) -> str:
    """Says in one line which points are swapped, or why no view is mirrored."""
    pairs = [
        f"{name} and {names[other]}"
        for place, (name, other) in enumerate(
            zip(names, mirrored(names), strict=True)
        )
        if place < other
    ]
    if not pairs:
        return (
            "No view is mirrored: no two names of points differ only in left "
            "and right, as left_eye and right_eye do."
        )
    if one_sided:
        return (
            "No view is mirrored: no labelled pose is near the mirror image of "
            "another (--config.view.flip=0.5 mirrors nevertheless)."
        )
    return f"Swapped in mirrored views: {', '.join(pairs)}."


def _swapped(name):
    return _SIDE.sub(lambda found: _OTHER[found[0]], name)
