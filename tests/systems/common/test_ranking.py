"""Ranking by several fields, held to sums by hand."""

import math

import numpy as np
import pytest

from byol_tf.systems.common.ranking import (
    Field,
    Ranking,
    mean_average_precision,
    mean_reciprocal_rank,
)


def test_scores_are_bm25_over_the_most_that_a_question_can_reach():
    # Words of one letter have one feature: " a ".
    field = Field(["a b", "a a a c"])
    idf = lambda n: math.log(1 + (2 - n + 0.5) / (n + 0.5))  # noqa: E731
    damping = 1.2 * (0.25 + 0.75 * 4 / 3)  # of the second, longer one
    wanted = idf(2) * 3 / (3 + damping) + idf(1) * 1 / (1 + damping)
    found = field.scores(["c a"])[0, 1]
    assert found == pytest.approx(wanted / (idf(2) + idf(1)), rel=1e-5)


def test_unknown_words_lower_the_score():
    field = Field(["reset the password", "close the account"])
    known, stranger = field.scores(["reset the password", "password quantum"])
    assert known[0] > 0.3 > stranger[0]


def test_fields_count_by_their_weights():
    fields = {"name": ["one", "two"], "body": ["two", "one"]}
    ranking = Ranking(fields, {"name": 3.0, "body": 1.0})
    first, second = ranking.scores(["one"])[0]
    assert first == pytest.approx(3 * second, rel=1e-5)


def test_a_field_without_words_is_named():
    with pytest.raises(ValueError, match="no body has a word"):
        Ranking({"body": ["", " "]}, {"body": 1.0})


def test_average_precision_and_reciprocal_rank_of_known_orders():
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    relevant = np.array([[True, False, True], [False, True, False]])
    wanted = ((1 + 2 / 3) / 2 + 1 / 2) / 2
    assert mean_average_precision(scores, relevant) == pytest.approx(wanted)
    assert mean_reciprocal_rank(scores, np.array([0, 0])) == pytest.approx(
        2 / 3
    )
