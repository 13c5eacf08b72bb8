"""Held-out parts, subsets and fractions, balanced between the classes."""

import itertools
import re

import numpy as np
import pytest

from byol_tf.data.examples import Examples, Rows
from byol_tf.data.fractions import Fraction, parse_fractions
from byol_tf.data.split import (
    balanced_subset,
    choose,
    draw_part,
    holdout_mask,
    split_holdout,
)


def balanced(classes=10, each=100):
    return np.random.default_rng(0).permutation(
        np.repeat(np.arange(classes), each)
    )


def of(text):
    return parse_fractions([text])[0]


def test_texts_become_fractions_in_their_order_and_once():
    assert parse_fractions(["1%, 0.5%", "25-per-class", "all,1%", "40"]) == (
        Fraction("1%", share=0.01),
        Fraction("0.5%", share=0.005),
        Fraction("25-per-class", per_class=25),
        Fraction("100%", share=1.0),
        Fraction("40", count=40),
    )


@pytest.mark.parametrize(
    "text",
    ["", "0%", "101%", "-1%", "0-per-class", "ten", "0", "1.5-per-class"],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="`labels` must"):
        parse_fractions([text])


@pytest.mark.parametrize(
    "text,each",
    [("1%", 1), ("10%", 10), ("25-per-class", 25), ("100%", 100), ("70", 7)],
)
def test_every_class_has_the_same_number_to_the_image(text, each):
    strata = balanced()
    chosen = choose(strata, of(text), seed=3)
    assert np.bincount(strata[chosen]).tolist() == [each] * 10
    assert len(np.unique(chosen)) == 10 * each


def test_more_labels_than_there_are_are_refused():
    strata = balanced(classes=4, each=25)
    assert len(choose(strata, of("100"), seed=0)) == 100
    with pytest.raises(ValueError, match="take at most 100, or all"):
        choose(strata, of("101"), seed=0)


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
    with pytest.raises(ValueError, match=r"class bag .*at least 1.34%"):
        choose(strata, of("0.6%"), seed=0, names=names)
    # One more than classes, so that one is left to choose settings by.
    assert len(choose(strata, of("1.34%"), seed=0, names=names)) == 4


@pytest.mark.parametrize("count", [7, 33, 101, 999])
def test_the_share_that_is_advised_leaves_no_class_empty(count):
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


@pytest.mark.parametrize("text", ["100%", "2-per-class", "30-per-class"])
def test_a_class_of_one_is_learned_from_and_said(text, caplog):
    strata = np.repeat([0, 1, 2], [40, 1, 30])
    with caplog.at_level("INFO", "absl"):
        part = draw_part(strata, of(text), 0.2, 0, ("common", "rare", "usual"))
    assert 40 in part.learn and 40 not in part.validation
    assert np.unique(strata[part.validation]).tolist() == [0, 2]
    assert "one example of 'class rare'" in caplog.text


@pytest.mark.parametrize(
    "sizes,text",
    [
        ((40, 1, 30), "1-per-class"),
        ((40, 1, 30), "4%"),
        ((40, 1, 30), "0.1%"),
        ((40, 1, 5, 30), "6-per-class"),
        ((2, 2), "1-per-class"),
        ((2, 2), "9-per-class"),
        ((30, 3), "1%"),
        ((1, 1, 2), "1-per-class"),
    ],
)
def test_what_an_error_advises_works(sizes, text):
    strata = np.repeat(np.arange(len(sizes)), sizes)
    with pytest.raises(ValueError) as raised:
        draw_part(strata, of(text), 0.2, seed=0)
    advised = re.search(r"take at (?:least|most) (\S+)", str(raised.value))[1]
    assert len(draw_part(strata, of(advised), 0.2, seed=0).validation)


def test_classes_of_one_alone_need_more_labels():
    with pytest.raises(ValueError, match="label more examples of each class"):
        draw_part([0, 1, 2], of("100%"), 0.2, seed=0)


@pytest.mark.parametrize("labels", [[-1] * 10, [0] * 9 + [1], [0, 1, 1, 1]])
def test_of_a_small_set_two_are_held_out_to_judge_by(labels):
    rest, held_out = split_holdout(make(labels), 0.1, seed=0)
    assert held_out.num_examples == 2
    assert rest.num_examples == len(labels) - 2


# ---- held-out parts ------------------------------------------------------


def make(labels):
    labels = np.array(labels, np.int32)
    rng = np.random.default_rng(0)
    return Examples(
        rng.integers(0, 256, (len(labels), 4, 4, 3), np.uint8), labels
    )


def test_the_same_share_of_every_class_is_held_out():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    mask = holdout_mask(labels, 0.1, seed=0)
    assert np.bincount(labels[mask]).tolist() == [10, 5, 1]


def test_what_is_held_out_follows_the_seed():
    labels = np.arange(100) % 4
    first = holdout_mask(labels, 0.2, seed=0)
    assert (first == holdout_mask(labels, 0.2, seed=0)).all()
    assert (first != holdout_mask(labels, 0.2, seed=1)).any()


def test_holdout_is_stratified_and_disjoint():
    images = make([0] * 50 + [1] * 30 + [2] * 20)
    rest, held_out = split_holdout(images, 0.2, seed=3)
    np.testing.assert_array_equal(np.bincount(held_out.labels), [10, 6, 4])
    np.testing.assert_array_equal(np.bincount(rest.labels), [40, 24, 16])
    together = np.concatenate([rest.rows, held_out.rows])
    assert len({image.tobytes() for image in together}) == 100
    assert {image.tobytes() for image in together} == {
        image.tobytes() for image in images.rows
    }


def test_holdout_depends_on_the_seed_alone():
    images = make([0, 1] * 50)
    first = split_holdout(images, 0.2, seed=3)[1].fingerprint()
    assert split_holdout(images, 0.2, seed=3)[1].fingerprint() == first
    assert split_holdout(images, 0.2, seed=4)[1].fingerprint() != first


def test_holdout_keeps_labels_with_their_images():
    images = make(np.arange(40) % 4)
    label_of = {
        image.tobytes(): label
        for image, label in zip(images.rows, images.labels, strict=True)
    }
    for part in split_holdout(images, 0.25, seed=0):
        for image, label in zip(part.rows, part.labels, strict=True):
            assert label_of[image.tobytes()] == label


def test_holdout_of_an_unlabelled_set_is_a_plain_fraction():
    rest, held_out = split_holdout(make([-1] * 30), 0.1, seed=0)
    assert (rest.num_examples, held_out.num_examples) == (27, 3)


def test_holdout_takes_one_and_leaves_one_of_a_small_class():
    rest, held_out = split_holdout(make([0, 0, 1, 1, 2]), 0.01, seed=0)
    np.testing.assert_array_equal(held_out.labels, [0, 1])
    np.testing.assert_array_equal(rest.labels, [0, 1, 2])


def test_holdout_does_not_copy_a_memory_map(tmp_path):
    images = make([0, 1] * 10)
    np.save(tmp_path / "images.npy", images.rows)
    pixels = np.load(tmp_path / "images.npy", mmap_mode="r")
    on_disk = Examples(pixels, images.labels)
    for a, b in zip(
        split_holdout(images, 0.3, 1),
        split_holdout(on_disk, 0.3, 1),
        strict=True,
    ):
        assert isinstance(b.rows, Rows)
        assert a.fingerprint() == b.fingerprint()


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0])
def test_impossible_holdout_fraction_is_an_error(fraction):
    with pytest.raises(ValueError, match=r"`fraction` must be in \(0, 1\)"):
        split_holdout(make([0, 1]), fraction, seed=0)


def test_holdout_of_single_images_is_an_error():
    with pytest.raises(ValueError, match="too small to hold out"):
        split_holdout(make([0, 1, 2]), 0.5, seed=0)


# ---- subsets -------------------------------------------------------------


def test_subset_is_balanced_and_without_repetition():
    labels = np.random.default_rng(0).integers(-1, 5, 400)
    chosen = balanced_subset(labels, 12, seed=3)
    assert len(set(chosen)) == 60
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [12] * 5)


def test_subset_depends_on_the_seed_alone():
    labels = np.arange(400) % 5
    first = balanced_subset(labels, 12, seed=3)
    np.testing.assert_array_equal(first, balanced_subset(labels, 12, seed=3))
    assert set(first) != set(balanced_subset(labels, 12, seed=4))


def test_every_example_can_be_drawn():
    labels = np.arange(40) % 2
    drawn = [balanced_subset(labels, 5, seed) for seed in range(100)]
    assert set(np.concatenate(drawn)) == set(range(40))


def test_class_with_too_few_examples_is_named():
    labels = np.array([0, 0, 0, 7, 7, 1, 1, 1])
    with pytest.raises(ValueError, match=r"at most 2.*class 7.*per_class=3"):
        balanced_subset(labels, 3, seed=0)


def test_no_labels_is_an_error():
    with pytest.raises(ValueError, match="3 examples, none with a label"):
        balanced_subset(np.array([-1, -1, -1]), 1, seed=0)


def test_the_draws_of_a_seed_stay_for_ever():
    # Written down at release 0.2: saved results name these examples.
    labels = np.array([0, 1, 2, 1, 0, 2, 2, 1, 0, 0, -1, 1, -1, 2, 0, 1])
    held_out = np.flatnonzero(holdout_mask(labels, 0.4, 7))
    assert held_out.tolist() == [0, 3, 5, 7, 9, 10, 13]
    assert balanced_subset(labels, 2, 7).tolist() == [2, 6, 7, 9, 11, 14]
    labels = np.abs(labels)
    half = [0, 1, 6, 7, 8, 10, 13, 14]
    assert choose(labels, of("50%"), 7).tolist() == half
    part = draw_part(labels, of("3-per-class"), 0.4, 7)
    assert part.learn.tolist() == [0, 5, 6, 7, 8, 10]
    assert part.validation.tolist() == [1, 13, 14]
