"""Error rates of transcripts, against jiwer."""

import jiwer
import numpy as np
import pytest

from byol_tf.evaluation.edit_distance import ErrorRates, edit_distance


def by_hand(first, second):
    """Levenshtein's distance, from its definition."""
    if not first or not second:
        return len(first) + len(second)
    return min(
        by_hand(first[1:], second) + 1,
        by_hand(first, second[1:]) + 1,
        by_hand(first[1:], second[1:]) + (first[0] != second[0]),
    )


@pytest.mark.parametrize(
    "pair",
    [("", ""), ("", "ab"), ("ab", ""), ("kitten", "sitting"), ("ab", "ba")],
)
def test_the_distance_is_that_of_the_definition(pair):
    assert edit_distance(*pair) == by_hand(*pair)


def drawn_texts(count, seed):
    rng = np.random.default_rng(seed)
    words = ["one", "two", "two two", "早上", "好", "ä"]
    return [
        " ".join(rng.choice(words, rng.integers(1, 7))) for _ in range(count)
    ]


def test_rates_are_those_of_jiwer():
    references, found = drawn_texts(60, 0), drawn_texts(60, 1)
    found[3] = ""
    rates = ErrorRates()
    for pair in zip(references, found, strict=True):
        rates.add(*pair)
    expected = jiwer.wer(references, found), jiwer.cer(references, found)
    assert rates.rates() == pytest.approx(expected, abs=1e-12)


def test_an_empty_reference_counts_as_one_word():
    rates = ErrorRates()
    rates.add("", "a b")
    assert rates.rates() == (jiwer.wer("", "a b"), jiwer.cer("", "a b"))
    rates.add("", "")
    assert rates.rates() == (2, 3)
    with pytest.raises(ValueError, match="there are none"):
        ErrorRates().rates()


def test_the_worst_come_first_and_those_without_errors_not_at_all():
    rates = ErrorRates()
    for pair in (("one two", "one"), ("one", "one"), ("a", "b"), ("ab", "b")):
        rates.add(*pair)
    assert [row for row, _ in rates.worst(9)] == [2, 0, 3]
    assert len(rates.worst(1)) == 1
