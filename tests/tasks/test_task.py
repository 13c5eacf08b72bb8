"""What all tasks have in common: targets by name, metrics batch by batch."""

import re

import numpy as np
import pytest

from byol_tf.tasks.classification import Classification
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.multilabel import MultiLabel
from byol_tf.tasks.regression import Regression
from byol_tf.tasks.task import take
from tests.support.brightness import Brightness
from tests.support.tables import in_folders, with_table

NAN = np.nan


def numbers(count, columns, seed):
    return np.random.default_rng(seed).random((count, columns), np.float32)


@pytest.mark.parametrize(
    ("task", "targets"),
    [
        (Classification("abcdef"), np.eye(6, dtype=np.float32)[[0, 3, 5, 3]]),
        (MultiLabel("abc"), np.float32(numbers(4, 3, 0) > 0.5)),
        (Regression("ab", (0, 0), (1, 1)), numbers(4, 2, 1)),
        (Keypoints(("a_x", "a_y", "b_x", "b_y")), numbers(4, 4, 2)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_metrics_of_batches_are_those_of_all_at_once(task, targets):
    predictions = numbers(*targets.shape, 3)
    accumulator = task.accumulator()
    for part in (slice(0, 3), slice(3, 4)):
        decoded = task.decode({task.prediction: predictions[part]})
        accumulator.update(targets[part], decoded)
    assert accumulator.result() == task.metrics(targets, predictions)


def test_an_example_is_known_if_a_number_of_it_is():
    targets = {
        "boxes": np.float32([[[1, 2], [NAN, NAN]], [[NAN] * 2] * 2]),
        "count": np.int32([1, 0]),
    }
    task = Brightness(("mean",))
    assert task.known(targets).tolist() == [True, False]
    assert task.known(targets["boxes"]).tolist() == [True, False]
    assert task.known({"count": targets["count"]}).tolist() == [True, True]


def test_examples_are_taken_of_every_array():
    targets = {"a": np.arange(4), "b": np.arange(8).reshape(4, 2)}
    taken = take(targets, [2, 0])
    assert taken["a"].tolist() == [2, 0]
    assert taken["b"].tolist() == [[4, 5], [0, 1]]


# ---- what an error advises ------------------------------------------------


ADVISED = [
    (Classification, in_folders([0, 0], ("a",)), "two sub-folders",
     in_folders([0, 1], ("a", "b"))),
    (Classification, in_folders([0, 0], ("a",)), "a file of labels",
     with_table(label=("a", "b"))),
    (Classification, with_table(x=("1", "2"), y=("3", "4")), "column 'label'",
     with_table(x=("1", "2"), label=("3", "4"))),
    (Regression, in_folders([0, 1], ("a", "b")), "a file of labels",
     with_table(x=("1", "2"))),
    (Regression, with_table(x=("1", "2"), y=("", "")), "fill the column",
     with_table(x=("1", "2"), y=("3", "4"))),
    (Regression, with_table(x=("1", "2"), y=("", "")), "or remove it",
     with_table(x=("1", "2"))),
    (Regression, with_table(x=("1", "2", "n/a")), "be empty where unknown",
     with_table(x=("1", "2", ""))),
    (MultiLabel, with_table(x=("0", "0")), "of 0 and 1",
     with_table(x=("0", "1"))),
    (MultiLabel, with_table(x=("0", "0.5")), "be empty where unknown",
     with_table(x=("1", ""))),
    (MultiLabel, with_table(labels=("", "")), "joined by ';'",
     with_table(labels=("a;b", ""))),
    (MultiLabel, in_folders([-1, -1], ()), "like 'red",
     in_folders([0, 1], ("red+round", "red"))),
    (Keypoints, in_folders([0, 1], ("a", "b")), "a file of labels",
     with_table(a_x=("0.5", ""), a_y=("0.5", ""))),
    (Keypoints, with_table(a_x=("0.5", ""), a_y=("0.5", "0.5")),
     "both be empty",
     with_table(a_x=("0.5", ""), a_y=("0.5", ""))),
]  # fmt: skip


@pytest.mark.parametrize("kind,wrong,advice,right", ADVISED)
def test_what_an_error_advises_works(kind, wrong, advice, right):
    with pytest.raises(ValueError, match=re.escape(advice)):
        kind.of(wrong)
    assert len(kind.of(right).targets(right)) == len(right.examples.labels)


def test_columns_are_named_in_one_form_of_unicode():
    decomposed, composed = "e\u0301te\u0301", "\u00e9t\u00e9"
    old = Classification([decomposed, "hiver"])  # as a release before this
    images = in_folders([0, 1], (composed, "hiver"))
    np.testing.assert_array_equal(old.targets(images), np.eye(2))
    table = with_table(**{decomposed: ("1", "2")})
    assert Regression.of(table).columns == (composed,)
