"""Fractions of the labels: read, balanced to the image, nested."""

import itertools

import numpy as np
import pytest

from byol_tf.data.label_fractions import (
    Fraction,
    choose,
    draw_part,
    parse_fractions,
)


def balanced(classes=10, each=100):
    return np.random.default_rng(0).permutation(
        np.repeat(np.arange(classes), each)
    )


def of(text):
    return parse_fractions([text])[0]


def test_texts_become_fractions_in_their_order_and_once():
    assert parse_fractions(["1%, 0.5%", "25-per-class", "all,1%"]) == (
        Fraction("1%", share=0.01),
        Fraction("0.5%", share=0.005),
        Fraction("25-per-class", per_class=25),
        Fraction("100%", share=1.0),
    )


@pytest.mark.parametrize(
    "text",
    ["", "0%", "101%", "-1%", "0-per-class", "ten", "10", "1.5-per-class"],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="`labels` must"):
        parse_fractions([text])


@pytest.mark.parametrize(
    "text,each", [("1%", 1), ("10%", 10), ("25-per-class", 25), ("100%", 100)]
)
def test_every_class_has_the_same_number_to_the_image(text, each):
    strata = balanced()
    chosen = choose(strata, of(text), seed=3)
    assert np.bincount(strata[chosen]).tolist() == [each] * 10
    assert len(np.unique(chosen)) == 10 * each


def test_a_remainder_goes_to_the_first_classes_one_each():
    strata = balanced(classes=4, each=25)
    chosen = choose(strata, of("10%"), seed=0)
    assert np.bincount(strata[chosen]).tolist() == [3, 3, 2, 2]


def test_a_small_class_gives_all_and_the_others_share_the_rest_evenly():
    strata = np.repeat([0, 1, 2], [3, 40, 57])
    chosen = choose(strata, of("23%"), seed=0)
    assert np.bincount(strata[chosen]).tolist() == [3, 10, 10]


def test_a_smaller_part_lies_within_a_larger_one_of_the_same_seed():
    strata = np.repeat([0, 1, 2], [30, 40, 57])
    parts = ["3%", "2-per-class", "10%", "25-per-class", "80%", "100%"]
    chosen = [set(choose(strata, of(text), seed=1)) for text in parts]
    for smaller, larger in itertools.pairwise(chosen):
        assert smaller < larger


def test_the_seed_decides_which_and_nothing_else_does():
    strata = balanced()
    first, again, other = (
        choose(strata, of("10%"), seed=seed) for seed in (0, 0, 1)
    )
    assert first.tolist() == again.tolist() != other.tolist()
    assert np.all(np.diff(first) > 0)


def test_a_share_without_classes_takes_the_rounded_number():
    assert len(choose(np.zeros(33, int), of("10%"), seed=0)) == 3


def test_a_class_left_empty_is_named_with_the_least_share_that_works():
    strata = balanced(classes=3, each=100)
    names = ("coat", "shirt", "bag")
    with pytest.raises(ValueError, match=r"class bag .*at least 1%"):
        choose(strata, of("0.6%"), seed=0, names=names)
    assert len(choose(strata, of("1%"), seed=0, names=names)) == 3


@pytest.mark.parametrize("count", [7, 33, 101, 999])
def test_the_share_that_is_advised_works(count):
    strata = np.arange(count * 3) % 3
    with pytest.raises(ValueError) as raised:
        choose(strata, Fraction("tiny", share=1e-6), seed=0)
    advised = str(raised.value).split("at least ")[1]
    assert len(choose(strata, of(advised), seed=0)) >= 3


def test_more_per_class_than_there_are_is_refused():
    strata = np.repeat([0, 1], [5, 20])
    with pytest.raises(ValueError, match=r"class a has 5; .*5-per-class"):
        choose(strata, of("6-per-class"), seed=0, names=("a", "b"))


def test_a_number_per_class_needs_classes():
    with pytest.raises(ValueError, match="needs classes"):
        choose(np.zeros(9, int), of("3-per-class"), seed=0)


def test_of_ten_labels_a_fifth_chooses():
    strata = balanced(classes=3, each=40)
    part = draw_part(strata, of("10-per-class"), 0.2, seed=0)
    assert np.bincount(strata[part.learn]).tolist() == [8, 8, 8]
    assert np.bincount(strata[part.validation]).tolist() == [2, 2, 2]
    both = np.sort(np.concatenate(part))
    assert both.tolist() == choose(strata, of("10-per-class"), 0).tolist()


def test_one_label_of_a_class_is_too_few_to_choose_by():
    with pytest.raises(ValueError, match=r"class b: .*2-per-class"):
        draw_part([0, 0, 0, 1], of("100%"), 0.2, seed=0, names=("a", "b"))
