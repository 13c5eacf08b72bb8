"""Finds which named points are swapped in a mirrored image."""

import re
from collections.abc import Sequence

import numpy as np

_OPPOSITE = {
    "left": "right",
    "Left": "Right",
    "LEFT": "RIGHT",
    "L": "R",
    "l": "r",
}
_OPPOSITE |= {right: left for left, right in _OPPOSITE.items()}
_MIN_POSES, _MAX_POSES = 5, 200  # poses that are compared
_FAR_RATIO = 2.0
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
    partners = []
    for partner, (name, key) in enumerate(zip(names, keys, strict=True)):
        other, other_key = _swapped(name), _swapped(key)
        if other != name and other in names:
            partner = names.index(other)
        elif other_key != key and (
            keys.count(key) == keys.count(other_key) == 1
        ):
            partner = keys.index(other_key)
        partners.append(partner)
    return partners


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
        and scaled. False for fewer than `_MIN_POSES` poses.
    """
    has_points = np.isfinite(points).all(axis=-1).sum(axis=1) >= 2
    index = np.flatnonzero(has_points)
    index = index[:: max(len(index) // _MAX_POSES, 1)]
    if len(index) < _MIN_POSES:
        return False
    poses = points[index] - np.nanmean(points[index], axis=1, keepdims=True)
    low, high = np.nanmin(poses, axis=1), np.nanmax(poses, axis=1)
    poses = poses / np.maximum((high - low).max(axis=1), 1e-6)[:, None, None]
    distances = _distances(poses, poses)
    usual_distance = np.nanmedian(distances[~np.eye(len(poses), dtype=bool)])
    mirror_images = (poses * (-1, 1))[:, list(partners)]
    nearest = np.nanmin(_distances(poses, mirror_images), axis=1)
    return bool(np.nanmedian(nearest) > _FAR_RATIO * usual_distance)


def _distances(poses, others):
    """Averages distances of points that both have; infinite without any."""
    distances = np.linalg.norm(poses[:, None] - others[None], axis=-1)
    is_shared = np.isfinite(distances)
    total = np.where(is_shared, distances, 0.0).sum(axis=-1)
    count = is_shared.sum(axis=-1)
    return np.where(count, total / np.maximum(count, 1), np.inf)


def describe_mirrored(names: Sequence[str], one_sided: bool = False) -> str:
    """Says in one line which points are swapped, or why no view is mirrored."""
    pairs = [
        f"{name} and {names[other]}"
        for index, (name, other) in enumerate(
            zip(names, mirrored(names), strict=True)
        )
        if index < other
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
    return _SIDE.sub(lambda match: _OPPOSITE[match[0]], name)
