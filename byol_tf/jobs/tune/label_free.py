"""Measures the quality of an encoder without labels.

Rank, alignment and uniformity of its representation, and one score of them:

    score = log(effective rank) - alignment - uniformity

Each term detects what the others miss: a collapse along some directions (rank),
views of one input that disagree (alignment), inputs that crowd together
(uniformity). All are of order one and have equal weight, since other weights
would have to be learned from labels.

References: Garrido et al. 2023, "RankMe: assessing the downstream performance
of pretrained self-supervised representations by their rank", equation 1 (here
of the centred representation, as in `evaluation.collapse`); Wang and Isola
2020, as in `evaluation.alignment`, who find their sum to follow the accuracy.
"""

import math
import pathlib

import numpy as np

from byol_tf.evaluation.alignment import alignment, uniformity
from byol_tf.evaluation.collapse import collapse_statistics
from byol_tf.files import read_json

FILE = "label_free.json"


def label_free_metrics(
    representations: np.ndarray, first: np.ndarray, second: np.ndarray
) -> dict[str, float]:
    """Computes the numbers of one encoder.

    Args:
        representations: float `[n, dim]` of inputs it was not trained on,
            prepared as in evaluation.
        first: float `[n, dim]` of one view of each.
        second: float `[n, dim]` of another view.

    Returns:
        `effective_rank`, `alignment`, `uniformity` and `score`; all NaN if a
        representation is not finite.
    """
    rank = collapse_statistics(representations)["effective_rank"]
    metrics = {
        "effective_rank": rank,
        "alignment": alignment(first, second),
        "uniformity": uniformity(representations),
    }
    metrics["score"] = (
        math.log(max(rank, 1.0)) - metrics["alignment"] - metrics["uniformity"]
    )
    if not all(map(math.isfinite, metrics.values())):
        return dict.fromkeys(metrics, math.nan)
    return metrics


def read_label_free(folder: pathlib.Path) -> dict[str, float | None]:
    """Reads the numbers measured in a run folder; empty if there are none."""
    path = folder / FILE
    return read_json(path) if path.exists() else {}
