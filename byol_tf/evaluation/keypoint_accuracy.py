"""Distances of predicted keypoints to the true ones."""

import numpy as np


def keypoint_distances(
    targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Computes Euclidean distances, in sides of the (square) image.

    Args:
        targets: `[n, 2 * points]`, x and y of each point in turn, as fractions
            of the side; NaN for invisible points.
        predictions: `[n, 2 * points]`.

    Returns:
        float64 `[n, points]`, NaN for invisible points, infinite for
        predictions that are not finite.

    Raises:
        ValueError: if the shapes differ.
    """
    targets = np.asarray(targets, np.float64)
    predictions = np.asarray(predictions, np.float64)
    if targets.shape != predictions.shape or targets.shape[1] % 2:
        raise ValueError(
            "`targets` and `predictions` must both be [n, 2 * points]. "
            f"Received: targets.shape={targets.shape}, "
            f"predictions.shape={predictions.shape}"
        )
    predictions = np.where(np.isfinite(predictions), predictions, np.inf)
    errors = (predictions - targets).reshape(len(targets), -1, 2)
    return np.hypot(errors[..., 0], errors[..., 1])


def object_extents(targets: np.ndarray) -> np.ndarray:
    """Returns the longer side of the box around the visible points, in sides.

    Args:
        targets: as in `keypoint_distances`.

    Returns:
        float64 `[n]`; 1, the whole image, if fewer than two points are visible
        or all are at one place.
    """
    points = np.asarray(targets, np.float64).reshape(len(targets), -1, 2)
    low = np.where(np.isnan(points), np.inf, points).min(axis=1)
    high = np.where(np.isnan(points), -np.inf, points).max(axis=1)
    extents = np.max(high - low, axis=1)
    return np.where(extents > 0, extents, 1.0)


def correct_keypoints(distances: np.ndarray, alpha: float) -> float:
    """Computes the percentage of correct keypoints (PCK), as a share in [0, 1].

    Args:
        distances: in sides of the image or in extents of the object, any shape,
            NaN for invisible points.
        alpha: largest distance of a correct point.

    Returns:
        The share; NaN if no point is visible.

    Reference: Yang and Ramanan 2013, "Articulated human detection with flexible
    mixtures of parts", which uses the side of the person's box.
    """
    visible = distances[~np.isnan(distances)]
    return float(np.mean(visible <= alpha)) if len(visible) else float("nan")
