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


def correct_keypoints(distances: np.ndarray, alpha: float) -> float:
    """Percentage of correct keypoints (PCK), as a share in [0, 1].

    Args:
        distances: in sides of the image, any shape, NaN where a point is not
            visible; the result is NaN if none is.
        alpha: distance up to which a point is right.

    Reference: Yang and Ramanan 2013, "Articulated human detection with
    flexible mixtures of parts", where the side is that of the person's box.
    """
    visible = distances[~np.isnan(distances)]
    return float(np.mean(visible <= alpha)) if len(visible) else float("nan")
