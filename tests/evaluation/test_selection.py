"""Held-out parts and choices by them."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from byol_tf.data.split import holdout_mask
from byol_tf.evaluation.selection import (
    Choice,
    best_setting,
    choose_neighbours,
)


def test_of_equally_good_settings_the_first_is_taken():
    assert best_setting({3.0: 0.5, 2.0: 0.9, 1.0: 0.9}) == 2.0


@pytest.mark.parametrize(
    "value,expected", [(0.1, True), (0.2, False), (0.4, True)]
)
def test_a_choice_knows_that_it_lies_at_the_edge(value, expected):
    accuracies = {0.4: 0.5, 0.2: 0.5, 0.1: 0.5}
    assert Choice(value, accuracies).at_edge is expected


def test_the_number_of_neighbours_is_chosen_by_the_held_out_part():
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    features = rng.normal(size=(300, 6)) + 1.2 * np.eye(3, 6)[labels]
    held_out = holdout_mask(labels, 0.2, seed=0)
    choice = choose_neighbours(
        features,
        labels,
        held_out,
        num_classes=3,
        ks=(1, 5, 25, 1000),
        temperature=1e6,  # equal votes, as scikit-learn's
    )
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for k, accuracy in choice.accuracies.items():
        judge = KNeighborsClassifier(k).fit(unit[~held_out], labels[~held_out])
        expected = judge.score(unit[held_out], labels[held_out])
        # Equal numbers of votes are broken in different ways.
        assert accuracy == pytest.approx(expected, abs=2 / 60)
    assert list(choice.accuracies) == [1, 5, 25]
    assert choice.accuracies[choice.value] == max(choice.accuracies.values())


def test_no_possible_number_of_neighbours_is_refused():
    with pytest.raises(ValueError, match=r"up to 3.*\(200,\)"):
        choose_neighbours(
            np.eye(4),
            np.arange(4) % 2,
            np.arange(4) < 1,
            num_classes=2,
            ks=(200,),
            temperature=0.1,
        )
