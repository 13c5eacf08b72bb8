"""Similarity of predicted and true keypoints, relative to object size."""

import numpy as np

SIGMA = 0.05  # default of a point, relative to sqrt(object's area)


def keypoint_similarity(
    predicted: np.ndarray,
    true: np.ndarray,
    visible: np.ndarray,
    boxes: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """Computes COCO's object keypoint similarity (OKS).

    Args:
        predicted: `[n, points, 2]`, pixels.
        true: `[m, points, 2]`, pixels.
        visible: bool `[m, points]`: whether a point is labelled. For an object
            without labelled points, all points count by their distance from
            twice its box.
        boxes: boxes of the objects, `[m, 4]`: left, top, right, bottom.
        areas: areas of the objects in pixels, `[m]`.
        sigmas: deviation of each point, `[points]`, relative to the square root
            of the area.

    Returns:
        float64 `[n, m]` in [0, 1].
    """
    predicted, true = np.float64(predicted)[:, None], np.float64(true)[None]
    offsets = predicted - np.where(visible[..., None], true, 0.0)
    size = boxes[:, 2:] - boxes[:, :2]
    low = (boxes[:, :2] - size)[:, None]
    high = (boxes[:, 2:] + size)[:, None]
    outside = np.maximum(low - predicted, 0) + np.maximum(predicted - high, 0)
    unlabelled = ~visible.any(axis=-1)
    offsets = np.where(unlabelled[:, None, None], outside, offsets)
    counted = visible | unlabelled[:, None]
    square = np.sum(offsets**2, axis=-1)  # [n, m, points]
    variance = (2.0 * np.asarray(sigmas, np.float64)) ** 2
    scale = 2.0 * variance * (areas[:, None] + np.spacing(1))
    similarities = np.where(counted, np.exp(-square / scale), 0.0)
    return similarities.sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)
