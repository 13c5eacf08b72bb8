"""COCO's average precision of keypoints (OKS-AP), on true boxes."""

from collections.abc import Mapping, Sequence

import numpy as np

from byol_tf.evaluation.detection.average_precision import (
    Objects,
    match,
    summarize,
)
from byol_tf.evaluation.detection.keypoints import SIGMA, keypoint_similarity

# Columns for objects: where they were cropped, and their area in pixels.
COLUMNS = ("object_image", "object_left", "object_top", "object_area")
_MOST = 20  # largest number of objects per image, as in COCO


def oks_average_precision(
    places: np.ndarray,
    true: np.ndarray,
    scores: np.ndarray,
    origins: np.ndarray,
    sigmas: Sequence[float] | None = None,
) -> Mapping[str, float]:
    """Computes `oks_ap`, `oks_ap50`, `oks_ap75` and `oks_ar`, as pycocotools.

    Args:
        places: predicted points, `[n, points, 2]`, pixels of each crop.
        true: true points, NaN if unlabelled.
        scores: confidence of each prediction, `[n]`.
        origins: `COLUMNS` of each object, `[n, 4]`.
        sigmas: deviations of the points, see `keypoint_similarity`; None: 0.05.
    """
    if sigmas is None:
        sigmas = np.full(true.shape[1], SIGMA)
    shift = origins[:, None, 1:3]
    places, true = np.float64(places) + shift, np.float64(true) + shift
    matches = []
    for image in np.unique(origins[:, 0]):
        in_image = origins[:, 0] == image
        no_crowd, areas = np.zeros(in_image.sum(), bool), origins[in_image, 3]
        similarity = keypoint_similarity(
            places[in_image],
            true[in_image],
            ~np.isnan(true[in_image]).any(axis=-1),
            np.zeros((in_image.sum(), 4)),  # only for objects without points
            areas,
            np.asarray(sigmas),
        )
        matches.append(
            match(
                similarity,
                scores[in_image],
                areas,
                Objects(areas, no_crowd, no_crowd),
                ranges=((0.0, 1e10),),
                limit=_MOST,
            )
        )
    summary = summarize({"object": matches}, ("all",), (_MOST,))
    names = {"ap": "oks_ap", "ap50": "oks_ap50", "ap75": "oks_ap75"}
    names[f"ar_{_MOST}"] = "oks_ar"
    return {key: summary[name] for name, key in names.items()}
