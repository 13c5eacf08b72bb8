"""How near predicted keypoints are to the true ones."""

import numpy as np


def keypoint_distances(
    targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Euclidean distances, in sides of the (square) image.

    Args:
        targets: `[n, 2 * points]`, x and y of each point in turn, in
            fractions of the side; NaN where a point is not visible.
        predictions: `[n, 2 * points]`; else a ValueError.

    Returns:
        float64 `[n, points]`, NaN where a point is not visible, infinite
        where a prediction is not finite.
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
    """Longer sides of the boxes around the visible points, in sides.

    Args:
        targets: as in `keypoint_distances`.

    Returns:
        float64 `[n]`; 1, the whole image, where fewer than two points or a
        single place are visible.
    """
    points = np.asarray(targets, np.float64).reshape(len(targets), -1, 2)
    low = np.where(np.isnan(points), np.inf, points).min(axis=1)
    high = np.where(np.isnan(points), -np.inf, points).max(axis=1)
    extents = np.max(high - low, axis=1)
    return np.where(extents > 0, extents, 1.0)


def correct_keypoints(distances: np.ndarray, alpha: float) -> float:
    """Percentage of correct keypoints (PCK), as a share in [0, 1].

    Args:
        distances: in sides of the image or in extents of the object, any
            shape, NaN where a point is not visible; the result is NaN if none
            is.
        alpha: distance up to which a point is right.

    Reference: Yang and Ramanan 2013, "Articulated human detection with
    flexible mixtures of parts", where the side is that of the person's box.
    """
    visible = distances[~np.isnan(distances)]
    return float(np.mean(visible <= alpha)) if len(visible) else float("nan")
