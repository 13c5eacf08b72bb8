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


class DetectionAccumulator:
    """Computes COCO's average precision of predictions batch by batch.

    Args:
        names: names of the classes.
        confidence: lowest score of shown predictions.
    """

    def __init__(self, names: Sequence[str], confidence: float = 0.3):
        self._matches = {name: [] for name in names}
        self._confidence = confidence
        self._class_pairs = []  # true, predicted, score; per image

    def update(self, targets, decoded) -> None:
        for image, side in enumerate(np.float64(targets["side"])):
            true, predicted = (
                {k: v[image] for k, v in arrays.items()}
                for arrays in (targets, decoded)
            )
            # Predictions for users end at the border of the image. Targets
            # stored by earlier releases lack it.
            limit = np.tile(true.get("extent", np.ones(2)), 2)
            predicted["boxes"] = np.clip(predicted["boxes"], 0.0, limit)
            for label, matches in enumerate(self._matches.values()):
                matches.append(_match_class(true, predicted, label, side))
            self._class_pairs.append(
                _class_pairs(true, predicted, len(self._matches))
            )

    def result(self) -> dict[str, float]:
        all_matches = [m for matches in self._matches.values() for m in matches]
        if not sum(int(m.objects[0]) for m in all_matches):
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
        is_confident = matches.scores >= self._confidence
        hits, ignored = (
            flags[0, 0] & is_confident
            for flags in (matches.correct, matches.ignored)
        )
        correct = (hits & ~ignored).sum()
        false_alarms = (is_confident & ~hits & ~ignored).sum()
        return matches.objects[0] - correct, false_alarms

    def best_confidence(self) -> float | None:
        """Returns the threshold with the best F1 over all classes, or None."""
        return best_confidence(self._pooled())

    def at_confidence(self, confidence: float) -> dict[str, float]:
        """Returns `precision`, `recall` and `f1` at a confidence threshold."""
        return at_confidence(self._pooled(), confidence)

    def _pooled(self):
        all_matches = [m for matches in self._matches.values() for m in matches]
        return confidence_curve(all_matches)

    def confusion(self, confidence: float) -> np.ndarray:
        """Counts true classes (rows) and predictions; background is last."""
        size = len(self._matches)
        matrix = np.zeros((size + 1, size + 1), np.int64)
        for true_labels, predicted, scores in self._class_pairs:
            # An object whose prediction is below the threshold is missed.
            is_confident = scores >= confidence
            np.add.at(
                matrix, (true_labels[is_confident], predicted[is_confident]), 1
            )
            missed = ~is_confident & (true_labels < size)
            np.add.at(matrix, (true_labels[missed], size), 1)
        return matrix

    def pictures(self, confidence: float) -> dict[str, bytes]:
        """Draws PNG files by heading: curves over confidence, and confusion."""
        curves = {n: confidence_curve(m) for n, m in self._matches.items()}
        file = io.BytesIO()
        draw_confidence(curves, self._pooled(), confidence, file)
        pictures = {"Precision, recall and F1": file.getvalue()}
        matrix = self.confusion(confidence)
        if matrix.sum():
            file, names = io.BytesIO(), (*self._matches, BACKGROUND)
            title = f"Objects of a confidence of {confidence:.2f} or more"
            draw_confusion(matrix, file, class_names=names, title=title)
            pictures["What is confused"] = file.getvalue()
        return pictures


def _class_pairs(true, predicted, classes):
    """Returns true class, predicted class and score; `classes`: background.

    One per object and per counted prediction. An object that is not found has
    score infinity, so that it is missed at any confidence.
    """
    is_valid = (true["classes"] >= 0) & ~np.isnan(true["boxes"][:, 0])
    crowd = true["crowd"][is_valid] > 0
    labels = true["classes"][is_valid]
    is_counted = predicted["scores"] > _LEAST
    boxes = true["boxes"][is_valid]
    matched, is_ignored = match_any_class(
        predicted["boxes"][is_counted], boxes, crowd
    )
    matched_labels = np.append(labels, classes)[matched][~is_ignored]
    missed = ~crowd
    missed[matched[matched >= 0]] = False
    missed_labels = labels[missed]
    background = np.full_like(missed_labels, classes)
    labels = np.append(
        predicted["classes"][is_counted][~is_ignored], background
    )
    infinite = np.full(len(missed_labels), np.inf)
    scores = np.append(predicted["scores"][is_counted][~is_ignored], infinite)
    return np.concatenate([matched_labels, missed_labels]), labels, scores


def _match_class(true, predicted, label, side):
    """Matches one class in one image, in pixels."""
    is_object = (true["classes"] == label) & ~np.isnan(true["boxes"][:, 0])
    crowd = true["crowd"][is_object] > 0
    is_prediction = (predicted["classes"] == label) & (predicted["scores"] > 0)
    boxes = side * predicted["boxes"][is_prediction]
    return match(
        box_iou(boxes, side * true["boxes"][is_object], crowd),
        predicted["scores"][is_prediction],
        np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
        Objects(true["areas"][is_object], crowd, crowd),
    )
