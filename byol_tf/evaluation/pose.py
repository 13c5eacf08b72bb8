"""Errors of estimated 6-D poses of rigid objects.

References: Hinterstoisser et al. 2012, "Model based training, detection and
pose estimation of texture-less 3D objects"; Xiang et al. 2018, "PoseCNN".
"""

import numpy as np

_CHUNK = 512  # points compared with all others at once


def add_error(
    rotation: np.ndarray,
    translation: np.ndarray,
    true_rotation: np.ndarray,
    true_translation: np.ndarray,
    points: np.ndarray,
) -> float:
    """Computes ADD: the mean distance of the model's points in both poses.

    Args:
        rotation: `[3, 3]`, from the model to the camera.
        translation: `[3]`, in units of the model.
        true_rotation: `[3, 3]`.
        true_translation: `[3]`.
        points: points of the model, `[n, 3]`.

    Returns:
        The mean distance, in units of the model.
    """
    estimated = _transformed(points, rotation, translation)
    true = _transformed(points, true_rotation, true_translation)
    return float(np.linalg.norm(estimated - true, axis=1).mean())


def add_s_error(
    rotation: np.ndarray,
    translation: np.ndarray,
    true_rotation: np.ndarray,
    true_translation: np.ndarray,
    points: np.ndarray,
) -> float:
    """Computes ADD-S, for symmetric objects: distances to the nearest point.

    Args:
        rotation: `[3, 3]`, from the model to the camera.
        translation: `[3]`, in units of the model.
        true_rotation: `[3, 3]`.
        true_translation: `[3]`.
        points: points of the model, `[n, 3]`.

    Returns:
        The mean distance, in units of the model.
    """
    estimated = _transformed(points, rotation, translation)
    true = _transformed(points, true_rotation, true_translation)
    nearest = [
        np.linalg.norm(estimated[None] - part[:, None], axis=2).min(axis=1)
        for part in np.split(true, range(_CHUNK, len(true), _CHUNK))
    ]
    return float(np.concatenate(nearest).mean())


def _transformed(points, rotation, translation):
    return points @ np.transpose(rotation) + translation


def diameter(points: np.ndarray) -> float:
    """Returns the largest distance of two of a model's points `[n, 3]`."""
    return max(
        float(np.linalg.norm(points - point, axis=1).max()) for point in points
    )


def right_poses(
    errors: np.ndarray, diameter: float, share: float = 0.1
) -> float:
    """Computes the share of poses with an ADD (or ADD-S) below a limit.

    Args:
        errors: `[n]`; NaN if no pose was found, which counts as wrong.
        diameter: diameter of the model.
        share: limit, as a share of the diameter.
    """
    # Also false for NaN.
    return float(np.mean(np.asarray(errors) < share * diameter))
