"""Confidence: curves, the best one, and pairs of any class, by hand."""

import io

import numpy as np
import pytest

from byol_tf.evaluation.detection.average_precision import Objects, match
from byol_tf.evaluation.detection.confidence import (
    at_confidence,
    best_confidence,
    confidence_curve,
    draw_confidence,
    match_any_class,
)


def matches(similarity, scores):
    count = np.shape(similarity)[1]
    none = np.zeros(count, bool)
    objects = Objects(np.full(count, 100.0), none, none)
    areas = np.full(len(scores), 100.0)
    return match(np.array(similarity), np.array(scores), areas, objects)


# Two images with three objects; found, twice, wrong and found.
CURVE = confidence_curve(
    [
        matches([[0.9, 0.0], [0.8, 0.0]], [0.9, 0.6]),
        matches([[0.2], [0.7]], [0.3, 0.8]),
    ]
)


def test_the_curve_counts_what_is_shown_from_a_confidence_on():
    np.testing.assert_allclose(CURVE.confidence, [0.9, 0.8, 0.6, 0.3])
    np.testing.assert_allclose(CURVE.precision, [1, 1, 2 / 3, 1 / 2])
    np.testing.assert_allclose(CURVE.recall, np.array([1, 2, 2, 2]) / 3)
    np.testing.assert_allclose(CURVE.f1, [1 / 2, 4 / 5, 2 / 3, 4 / 7])


def test_the_best_confidence_has_the_highest_f1():
    assert best_confidence(CURVE) == 0.8
    assert best_confidence(confidence_curve([])) is None
    assert at_confidence(CURVE, 0.7)["f1"] == pytest.approx(0.8)
    assert at_confidence(CURVE, 0.95) == dict(precision=0, recall=0, f1=0)


def test_an_object_is_paired_once_whatever_its_class():
    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 29, 10], [50, 0, 55, 5]]
    true = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 90, 90]]
    crowd = np.array([False, False, True])
    chosen, excused = match_any_class(np.array(boxes), np.array(true), crowd)
    assert chosen.tolist() == [0, -1, 1, -1]
    assert excused.tolist() == [False, False, False, True]


def test_curves_are_drawn():
    target = io.BytesIO()
    draw_confidence({"cat": CURVE}, CURVE, 0.8, target)
    assert target.getvalue().startswith(b"\x89PNG")
