"""Metrics of detection."""

import io
from collections.abc import Sequence

import numpy as np

from byol_tf.evaluation.confusion import draw_confusion
from byol_tf.evaluation.detection.average_precision import (
    Objects,
    box_iou,
    match,
    summarize,
)
from byol_tf.evaluation.detection.confidence import (
    BACKGROUND,
    at_confidence,
    best_confidence,
    confidence_curve,
    draw_confidence,
    match_any_class,
)

_WORST = 8  # images to list
_LEAST = 0.05  # lowest score in the confusion matrix


class Detected:
    """Computes COCO's average precision of predictions batch by batch.

    Args:
        names: names of the classes.
        confidence: lowest score of shown predictions.
    """

    def __init__(self, names: Sequence[str], confidence: float = 0.3):
        self._matches = {name: [] for name in names}
        self._confidence = confidence
        self._confused = []  # true class, predicted class, score; per image

    def update(self, targets, decoded) -> None:
        for image, side in enumerate(np.float64(targets["side"])):
            true, found = (
                {k: v[image] for k, v in part.items()}
                for part in (targets, decoded)
            )
            # Predictions for users end at the border of the image. Targets
            # stored by earlier releases lack it.
            limit = np.tile(true.get("extent", np.ones(2)), 2)
            found["boxes"] = np.clip(found["boxes"], 0.0, limit)
            for label, matches in enumerate(self._matches.values()):
                matches.append(_matched(true, found, label, side))
            self._confused.append(_confused(true, found, len(self._matches)))

    def result(self) -> dict[str, float]:
        every = [m for matches in self._matches.values() for m in matches]
        if not sum(int(m.objects[0]) for m in every):
            raise ValueError(
                "average precision needs objects to find, and there is none "
                "in these images; label more images"
            )
        return summarize(self._matches)

    def worst(self) -> list[tuple[int, dict]]:
        """Returns positions and errors of the images with the most errors."""
        errors = []
        for row, matches in enumerate(
            zip(*self._matches.values(), strict=True)
        ):
            missed, wrong = np.sum([self._errors(m) for m in matches], axis=0)
            errors.append((row, {"missed": int(missed), "wrong": int(wrong)}))
        errors = [entry for entry in errors if sum(entry[1].values())]
        return sorted(errors, key=lambda e: -sum(e[1].values()))[:_WORST]

    def _errors(self, matches):
        shown = matches.scores >= self._confidence
        found, ignored = (
            flags[0, 0] & shown for flags in (matches.found, matches.ignored)
        )
        right = (found & ~ignored).sum()
        wrong = (shown & ~found & ~ignored).sum()
        return matches.objects[0] - right, wrong

    def best_confidence(self) -> float | None:
        """Returns the threshold with the best F1 over all classes, or None."""
        return best_confidence(self._pooled())

    def at_confidence(self, confidence: float) -> dict[str, float]:
        """Returns `precision`, `recall` and `f1` at a confidence threshold."""
        return at_confidence(self._pooled(), confidence)

    def _pooled(self):
        every = [m for matches in self._matches.values() for m in matches]
        return confidence_curve(every)

    def confusion(self, confidence: float) -> np.ndarray:
        """Counts true classes (rows) and predictions; background is last."""
        size = len(self._matches)
        matrix = np.zeros((size + 1, size + 1), np.int64)
        for true, found, scores in self._confused:
            # An object whose prediction is below the threshold is missed.
            shown = scores >= confidence
            np.add.at(matrix, (true[shown], found[shown]), 1)
            missed = ~shown & (true < size)
            np.add.at(matrix, (true[missed], size), 1)
        return matrix

    def pictures(self, confidence: float) -> dict[str, bytes]:
        """Draws PNG files by heading: curves over confidence, and confusion."""
        curves = {n: confidence_curve(m) for n, m in self._matches.items()}
        drawn = io.BytesIO()
        draw_confidence(curves, self._pooled(), confidence, drawn)
        parts = {"Precision, recall and F1": drawn.getvalue()}
        matrix = self.confusion(confidence)
        if matrix.sum():
            drawn, names = io.BytesIO(), (*self._matches, BACKGROUND)
            title = f"Objects of a confidence of {confidence:.2f} or more"
            draw_confusion(matrix, drawn, class_names=names, title=title)
            parts["What is confused"] = drawn.getvalue()
        return parts


def _confused(true, found, classes):
    """Returns true class, predicted class and score; `classes`: background.

    One per object and per counted prediction. An object that is not found has
    score infinity, so that it is missed at any confidence.
    """
    there = (true["classes"] >= 0) & ~np.isnan(true["boxes"][:, 0])
    crowd = true["crowd"][there] > 0
    labels = true["classes"][there]
    given = found["scores"] > _LEAST
    boxes = true["boxes"][there]
    chosen, excused = match_any_class(found["boxes"][given], boxes, crowd)
    own = np.append(labels, classes)[chosen][~excused]
    missed = ~crowd
    missed[chosen[chosen >= 0]] = False
    lost = labels[missed]
    none = np.full_like(lost, classes)
    labels = np.append(found["classes"][given][~excused], none)
    endless = np.full(len(lost), np.inf)
    scores = np.append(found["scores"][given][~excused], endless)
    return np.concatenate([own, lost]), labels, scores


def _matched(true, found, label, side):
    """Matches one class in one image, in pixels."""
    own = (true["classes"] == label) & ~np.isnan(true["boxes"][:, 0])
    crowd = true["crowd"][own] > 0
    given = (found["classes"] == label) & (found["scores"] > 0)
    boxes = side * found["boxes"][given]
    return match(
        box_iou(boxes, side * true["boxes"][own], crowd),
        found["scores"][given],
        np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
        Objects(true["areas"][own], crowd, crowd),
    )
