"""The threshold of handing over, held to counts by hand."""

import numpy as np
import pytest

from byol_tf.systems.common.handing import (
    auroc,
    recall_and_precision,
    threshold,
)

INSIDE = np.array([0.3, 0.6, 0.8, 0.9])
OUTSIDE = np.array([0.1, 0.2, 0.5, 0.7])


def test_it_hands_over_the_most_that_the_precision_allows():
    limit = threshold(INSIDE, OUTSIDE, precision=0.75, share=0.5)
    # Below 0.6: three that should be, and 0.3; all four would cost 0.6, too.
    assert limit == 0.55
    assert recall_and_precision(INSIDE, OUTSIDE, limit) == (0.75, 0.75)


def test_what_is_rarely_out_of_scope_is_handed_over_less():
    limit = threshold(INSIDE, OUTSIDE, precision=0.75, share=0.1)
    assert limit == 0.25


def test_an_impossible_precision_answers_all_and_says_so(caplog):
    limit = threshold(np.array([0.1, 0.2]), np.array([0.1]), 1.0, 0.5)
    assert limit == 0.0 and "no threshold" in caplog.text


def test_without_any_question_to_hand_over_some_are_asked_for(caplog):
    limit = threshold(np.array([0.1, 0.2]), np.zeros(0), 0.8, 0.5)
    assert limit == 0.0 and "add oos_val.csv (text)" in caplog.text


def test_where_all_should_be_handed_over_the_surest_is_too():
    limit = threshold(np.zeros(0), OUTSIDE, precision=0.9, share=0.5)
    assert recall_and_precision(INSIDE[:0], OUTSIDE, limit) == (1, 1)


def test_auroc_counts_pairs_in_order_and_half_of_ties():
    inside, outside = np.array([0.9, 0.5, 0.4]), np.array([0.1, 0.5])
    pairs = (outside < inside[:, None]) + 0.5 * (outside == inside[:, None])
    assert auroc(inside, outside) == pytest.approx(pairs.mean())
