"""Tiles: where they lie, and how boxes of several become one."""

import numpy as np
import pytest

from byol_tf.tasks.detection import Detection
from byol_tf.tasks.multilabel import MultiLabel
from byol_tf.tasks.tiled import join_boxes, parse_tiles, tile_places

PLACES = tile_places(180, 90, (2, 2))
# Seen by several tiles, by two that cut it, by one alone, in the corners of
# all four; the last is large, and larger than what tiles share.
OBJECTS = [
    (84, 4, 96, 16),
    (70, 60, 88, 75),
    (150, 20, 170, 30),
    (60, 30, 125, 62),
]


def seen(whole=True):
    """Boxes of all tiles as a perfect detector that sees parts finds them."""
    boxes = np.zeros((len(PLACES), len(OBJECTS), 4))
    scores = np.zeros(boxes.shape[:2])
    for t, (x0, y0, x1, y1) in enumerate(PLACES):
        cut = np.clip(OBJECTS, (x0, y0, x0, y0), (x1, y1, x1, y1))
        size = np.prod(cut[:, 2:] - cut[:, :2], axis=1)
        boxes[t] = cut - (x0, y0, x0, y0)
        scores[t] = np.where(size > 0, 0.9 - 0.1 * t, 0.0)
    scores[0] *= whole
    return boxes, scores, np.zeros(scores.shape, int)


def test_tiles_overlap_and_cover_the_image():
    assert PLACES.tolist() == [
        *([0, 0, 180, 90], [0, 0, 100, 50], [80, 0, 180, 50]),
        *([0, 40, 100, 90], [80, 40, 180, 90]),
    ]
    assert tile_places(9, 7, (1, 1)).tolist() == [[0, 0, 9, 7]]


@pytest.mark.parametrize("whole", [True, False])
def test_every_object_is_found_once_and_whole(whole):
    boxes, scores, classes = join_boxes(*seen(whole), PLACES)
    assert len(classes) == len(scores) and (np.diff(scores) <= 0).all()
    assert sorted(map(tuple, boxes.tolist())) == sorted(OBJECTS)


def test_neighbours_and_other_classes_stay_apart():
    boxes = np.zeros((5, 3, 4))
    boxes[1, :2] = [(10, 10, 20, 20), (22, 10, 32, 20)]
    boxes[2, 0] = (30, 10, 40, 20)
    boxes[0, 0] = (10, 10, 20, 20)  # of another class
    scores = np.where(boxes[..., 2] > 0, 0.5, 0)
    classes = np.zeros((5, 3), int)
    classes[0] = 1
    found, _, labels = join_boxes(boxes, scores, classes, PLACES)
    assert len(found) == 4 and sorted(labels) == [0, 0, 0, 1]


def test_a_piece_of_low_score_does_not_extend_a_sure_one():
    boxes, scores = np.zeros((5, 1, 4)), np.zeros((5, 1))
    boxes[1], boxes[2] = (60, 10, 100, 20), (0, 10, 70, 20)
    scores[1:3, 0] = 0.9, 0.01
    given = boxes, scores, np.zeros((5, 1), int), PLACES
    assert join_boxes(*given, 0.3)[0].tolist() == [[60, 10, 100, 20]]
    assert join_boxes(*given)[0].tolist() == [[60, 10, 150, 20]]


def test_tasks_join_what_they_can():
    keys = ("boxes", "scores", "classes")
    decoded = dict(zip(keys, seen(), strict=True))
    whole = Detection(("cat",), confidence=0.5).joined(decoded, PLACES)
    assert whole["count"] == 4 and whole["boxes"].shape == (4, 4)
    with pytest.raises(ValueError, match="leave out --tiles"):
        MultiLabel(("red",)).joined({}, PLACES)
    assert parse_tiles("2x3") == (2, 3)
    with pytest.raises(ValueError, match=r"such as 2x2\. Received: '2'"):
        parse_tiles("2")
