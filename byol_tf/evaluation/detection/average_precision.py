"""COCO's average precision and recall, in NumPy.

Equals pycocotools, with its rules: predictions are matched by descending score,
each to the most similar object; a second match is wrong; crowds and objects
outside the range of areas count as neither missed nor found.

References: Lin et al. 2014, "Microsoft COCO"; `cocoeval.py` of cocoapi.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# Areas in pixels, both ends included.
AREAS = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
LIMITS = (1, 10, 100)  # largest numbers of predictions per image and class


class Objects(NamedTuple):
    """The true objects of one class in one image.

    Attributes:
        areas: in pixels, `[m]`.
        crowd: bool `[m]`: a region of many objects, which any number of
            predictions may match.
        excused: bool `[m]`: need not be found, as crowds need not.
    """

    areas: np.ndarray
    crowd: np.ndarray
    excused: np.ndarray


class Matches(NamedTuple):
    """Matched predictions of one class in one image.

    Attributes:
        scores: descending, `[n]`.
        correct: whether each matches an object, bool `[areas, thresholds, n]`.
        ignored: whether it is neither correct nor wrong, same shape.
        objects: number of objects to find, int `[areas]`.
    """

    scores: np.ndarray
    correct: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray


def box_iou(
    predicted: np.ndarray, true: np.ndarray, crowd: np.ndarray
) -> np.ndarray:
    """Computes the intersection over union of boxes.

    For a crowd, divides by the area of the predicted box alone.

    Args:
        predicted: `[n, 4]`: left, top, right, bottom.
        true: `[m, 4]`.
        crowd: bool `[m]`.

    Returns:
        float64 `[n, m]`.
    """
    predicted, true = np.float64(predicted)[:, None], np.float64(true)[None]
    low = np.maximum(predicted[..., :2], true[..., :2])
    high = np.minimum(predicted[..., 2:], true[..., 2:])
    intersection = np.prod(np.maximum(high - low, 0.0), axis=-1)
    predicted_areas, true_areas = (
        np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
        for boxes in (predicted, true)
    )
    union = np.where(
        crowd, predicted_areas, predicted_areas + true_areas - intersection
    )
    return intersection / np.where(union > 0, union, 1.0)


def match(
    similarity: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    objects: Objects,
    ranges: Sequence[tuple[float, float]] = tuple(AREAS.values()),
    limit: int = LIMITS[-1],
) -> Matches:
    """Matches the predictions of one class in one image.

    Args:
        similarity: similarity of predictions and objects in [0, 1], `[n, m]`.
        scores: scores of the predictions, `[n]`.
        areas: areas of the predictions in pixels, `[n]`.
        objects: the m true objects.
        ranges: ranges of areas, each evaluated separately.
        limit: largest number of predictions.
    """
    order = np.argsort(-scores, kind="stable")[:limit]
    similarity, scores = similarity[order], scores[order]
    limits = np.array(ranges).T[:, :, None]
    outside = _outside(areas[order], limits)  # [areas, n]
    excused = objects.excused | _outside(objects.areas, limits)  # [areas, m]
    shape = (len(ranges), len(THRESHOLDS))
    matched = np.zeros((*shape, len(objects.crowd)), bool)
    correct = np.zeros((*shape, len(scores)), bool)
    ignored = np.zeros((*shape, len(scores)), bool)
    min_similarity = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    for i, row in enumerate(similarity if len(objects.crowd) else ()):
        free = (~matched | objects.crowd) & (row >= min_similarity)
        regular = free & ~excused[:, None]
        # Prefer an object that counts over one that does not.
        any_regular = regular.any(axis=-1)
        allowed = np.where(any_regular[..., None], regular, free)
        values = np.where(allowed, row, -1)
        best = values.shape[-1] - 1 - values[..., ::-1].argmax(axis=-1)
        any_free = free.any(axis=-1)
        ignored[..., i] = any_free & ~any_regular
        correct[..., i] = any_regular
        a, t = np.nonzero(any_free)
        matched[a, t, best[a, t]] = True
    ignored |= ~correct & outside[:, None]
    return Matches(scores, correct, ignored, (~excused).sum(axis=-1))


def precision_recall(
    matches: Sequence[Matches], area: int = 0, limit: int = LIMITS[-1]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Computes precision at 101 recalls, and the largest recall, by threshold.

    Args:
        matches: matches of one class, for all images.
        area: index of the range of areas.
        limit: largest number of predictions per image.

    Returns:
        float64 `[thresholds, 101]` and `[thresholds]`; None without objects.
    """
    count = sum(int(m.objects[area]) for m in matches)
    if not count:
        return None
    scores = np.concatenate([m.scores[:limit] for m in matches])
    order = np.argsort(-scores, kind="stable")
    correct, ignored = (
        np.concatenate(
            [getattr(m, name)[area, :, :limit] for m in matches], axis=1
        )[:, order]
        for name in ("correct", "ignored")
    )
    true_positives = np.cumsum(correct & ~ignored, axis=1, dtype=np.float64)
    false_positives = np.cumsum(~correct & ~ignored, axis=1, dtype=np.float64)
    recall = true_positives / count
    precision = true_positives / (
        true_positives + false_positives + np.spacing(1)
    )
    # The best precision at this recall or a higher one.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    curve = np.zeros((len(THRESHOLDS), len(RECALLS)))
    for row, (recalls, precisions) in enumerate(
        zip(recall, precision, strict=True)
    ):
        places = np.searchsorted(recalls, RECALLS, side="left")
        inside = places < len(precisions)
        curve[row, inside] = precisions[places[inside]]
    return curve, recall[:, -1] if len(order) else np.zeros(len(THRESHOLDS))


def summarize(
    by_class: Mapping[str, Sequence[Matches]],
    areas: Sequence[str] = tuple(AREAS),
    limits: Sequence[int] = LIMITS,
) -> dict[str, float]:
    """Averages over classes, as pycocotools prints it.

    Args:
        by_class: matches of all images, by name of the class.
        areas: names of the ranges that were matched.
        limits: largest numbers of predictions per image and class. All but
            recall use the last one.

    Returns:
        `ap`, `ap50`, `ap75`, `ap_<area>` and `ar_<area>` for the ranges after
        the first, `ar_<limit>`, `ap/<class>` and `ap50/<class>`: shares in [0,
        1], NaN without such objects.
    """
    curves = {
        area: [precision_recall(m, i) for m in by_class.values()]
        for i, area in enumerate(areas)
    }
    precisions, recalls = (
        {a: [c[k] for c in pairs if c] for a, pairs in curves.items()}
        for k in (0, 1)
    )
    first, *others = areas
    ap = precisions[first]
    result = {
        "ap": _mean(ap),
        "ap50": _mean([p[0] for p in ap]),
        "ap75": _mean([p[5] for p in ap]),
        **{f"ap_{area}": _mean(precisions[area]) for area in others},
    }
    for count in limits:
        pairs = [precision_recall(m, 0, count) for m in by_class.values()]
        result[f"ar_{count}"] = _mean([pair[1] for pair in pairs if pair])
    result |= {f"ar_{area}": _mean(recalls[area]) for area in others}
    for name, curve in zip(by_class, curves[first], strict=True):
        class_precisions = [] if curve is None else curve[0]
        result[f"ap/{name}"] = _mean(class_precisions)
        result[f"ap50/{name}"] = _mean(class_precisions[:1])
    return result


def _outside(areas, limits):
    low, high = limits
    return (areas < low) | (areas > high)


def _mean(values):
    return float(np.mean(values)) if len(values) else float("nan")
