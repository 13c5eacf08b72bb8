import numpy as np
import pytest

from byol_tf.evaluation.vectors import unit_rows
from byol_tf.search import select
from byol_tf.search.select import select_rows

KINDS, EACH = 6, 15


class Vectors:
    """Embeddings in memory."""

    def __init__(self, vectors):
        self.vectors = unit_rows(np.asarray(vectors, np.float32))

    def __len__(self):
        return len(self.vectors)

    def rows(self, wanted):
        return self.vectors[wanted]


@pytest.fixture(name="kinds")
def _kinds():
    """Six kinds of examples, the first of each in the middle of its kind."""
    rng = np.random.default_rng(0)
    centres = np.eye(KINDS, 8).repeat(EACH, axis=0) * 5
    noise = rng.normal(size=centres.shape) * 0.5
    noise[::EACH] = 0
    return Vectors(centres + noise)


NONE = np.zeros(0, int)


def test_one_of_each_kind_is_chosen(kinds):
    rows = select_rows(kinds, KINDS, NONE)
    assert sorted(rows // EACH) == list(range(KINDS))


def test_the_one_in_the_middle_stands_for_its_kind(kinds):
    assert set(select_rows(kinds, KINDS, NONE)) == {
        kind * EACH for kind in range(KINDS)
    }


def test_a_large_kind_is_compared_in_strips(kinds, monkeypatch):
    whole = select_rows(kinds, KINDS, NONE)
    monkeypatch.setattr(select, "_STRIP", 4)
    np.testing.assert_array_equal(select_rows(kinds, KINDS, NONE), whole)


def test_kinds_with_a_label_are_passed_over(kinds):
    labelled = np.array([1, EACH + 1, 2 * EACH + 1])
    rows = select_rows(kinds, 3, labelled)
    assert sorted(rows // EACH) == [3, 4, 5]


def test_the_largest_kind_comes_first():
    few, many = np.eye(4)[[0] * 3], np.eye(4)[[1] * 9]
    rng = np.random.default_rng(0)
    vectors = np.concatenate([few, many]) + rng.normal(size=(12, 4)) * 0.01
    assert select_rows(Vectors(vectors), 2, NONE)[0] >= 3


def test_every_example_can_be_chosen_once(kinds):
    labelled = np.arange(0, len(kinds), 2)
    rows = select_rows(kinds, len(kinds) // 2, labelled)
    assert sorted(rows) == list(range(1, len(kinds), 2))


def test_the_same_seed_chooses_the_same(kinds):
    first, second = (select_rows(kinds, 9, NONE, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("count", [0, KINDS * EACH])
def test_a_count_that_cannot_be_is_refused(kinds, count):
    with pytest.raises(ValueError, match="from 1 to 89"):
        select_rows(kinds, count, np.array([4]))
