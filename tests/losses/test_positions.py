"""Places that two views share, by NumPy one position at a time."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.losses.positions import positions_loss, same_places

ROWS, COLUMNS = 3, 4


def views(seed, count=6):
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.4, 0.9, (count, 2))
    corner = rng.uniform(0, 1 - size)
    box = np.concatenate([corner, size], axis=1).astype(np.float32)
    return {"box": box, "flip": rng.random(count) < 0.5}


def by_hand(where, other, batch, row, column):
    """The position of the other view, or None outside of it."""
    top, left, height, width = where["box"][batch]
    x = (column + 0.5) / COLUMNS
    x = 1 - x if where["flip"][batch] else x
    y, x = top + (row + 0.5) / ROWS * height, left + x * width
    top, left, height, width = other["box"][batch]
    y, x = (y - top) / height, (x - left) / width
    x = 1 - x if other["flip"][batch] else x
    if not (0 <= y < 1 and 0 <= x < 1):
        return None
    return int(y * ROWS) * COLUMNS + int(x * COLUMNS)


def test_the_same_place_is_found_in_the_other_view():
    where, other = views(0), views(1)
    index, both = same_places(where, other, ROWS, COLUMNS)
    wanted = [
        [by_hand(where, other, b, r, c) for r in range(ROWS) for c in range(4)]
        for b in range(6)
    ]
    assert both.numpy().tolist() == [[w is not None for w in r] for r in wanted]
    found = np.where(both, index, -1).tolist()
    assert found == [[-1 if w is None else w for w in row] for row in wanted]
    assert 0.2 < np.mean(both) < 0.9


def test_what_lies_beyond_the_edges_is_no_place():
    box = np.array([[0.0, -0.5, 1.0, 2.0]], np.float32)
    same = {"box": box, "flip": np.array([False])}
    index, both = same_places(same, same, 1, 8)
    assert both.numpy().tolist() == [[False] * 2 + [True] * 4 + [False] * 2]
    assert index.numpy()[0, 2:6].tolist() == [2, 3, 4, 5]


def test_the_loss_is_the_mean_over_shared_places():
    rng = np.random.default_rng(2)
    shape = (6, ROWS, COLUMNS, 5)
    one, two = rng.normal(size=(2, *shape)).astype(np.float32)
    where, other = views(0), views(1)
    errors = []
    for b, r, c in np.ndindex(6, ROWS, COLUMNS):
        place = by_hand(where, other, b, r, c)
        if place is not None:
            u, v = one[b, r, c], two[b].reshape(-1, 5)[place]
            u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
            errors.append(((u - v) ** 2).sum())
    loss = positions_loss(tf.constant(one), tf.constant(two), where, other)
    assert float(loss) == pytest.approx(np.mean(errors), rel=1e-5)


def test_views_that_share_nothing_cost_nothing():
    box = np.float32([[0, 0, 0.4, 0.4]])
    flip = np.array([False])
    other = {"box": box + np.float32([0.5, 0.5, 0, 0]), "flip": flip}
    maps = tf.random.stateless_normal([1, 2, 2, 3], (0, 1))
    loss = positions_loss(maps, maps, {"box": box, "flip": flip}, other)
    assert float(loss) == 0
