"""How near predicted keypoints are to the true ones."""

import numpy as np


def keypoint_distances(
    targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Euclidean distances, in sides of the (square) image.

    Args:
        targets: `[n, 2 * points]`, x and y of each point in turn, in
            fractions of the side; NaN where a point is not visible.
        predictions: `[n, 2 * points]`, likewise.

    Returns:
        float64 `[n, points]`, NaN where a point is not visible, infinite
        where a prediction is not finite.

    Raises:
        ValueError: the shapes do not fit.
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
    """Percentage of correct keypoints (PCK), as a share.

    The share of the visible points, of all images together, whose distance is
    at most `alpha` times the larger side of the image. Distances are in sides
    and images square, so that side is 1.

    Args:
        distances: any shape, NaN where a point is not visible.
        alpha: 0.1 in most of the literature.

    Returns:
        In [0, 1]; NaN if no point is visible.

    Reference: Yang and Ramanan 2013, "Articulated human detection with
    flexible mixtures of parts", where the side is that of the person's box.
    """
    visible = distances[~np.isnan(distances)]
    return float(np.mean(visible <= alpha)) if len(visible) else float("nan")
