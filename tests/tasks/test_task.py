"""What all tasks have in common: targets by name, metrics batch by batch."""

import numpy as np
import pytest

from byol_tf.tasks.classification import Classification
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.multilabel import MultiLabel
from byol_tf.tasks.regression import Regression
from byol_tf.tasks.task import take
from tests.support.brightness import Brightness

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
