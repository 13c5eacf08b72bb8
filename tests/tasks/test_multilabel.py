"""Several tags: from where, loss, metrics."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import average_precision_score, f1_score

from byol_tf.tasks.multilabel import MultiLabel
from tests.support.tables import in_folders, with_table

NAN = np.nan


COLUMNS = with_table(red=("1", "0", "", "1.0"), round=("0", "1", "1", ""))
NAMES = with_table(labels=("round; red", "", "red"))
FOLDERS = in_folders([0, 2, -1, 1], ("red+round", "red", "+"))
TEXTS = in_folders([0, -1, 1], ("round; red", "red"))
TEXTS = dataclasses.replace(
    TEXTS,
    examples=dataclasses.replace(TEXTS.examples, taken={"layout": "table"}),
)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (COLUMNS, [[1, 0], [0, 1], [NAN, 1], [1, NAN]]),
        (NAMES, [[1, 1], [0, 0], [1, 0]]),
        (FOLDERS, [[1, 1], [0, 0], [NAN, NAN], [1, 0]]),
        (TEXTS, [[1, 1], [0, 0], [1, 0]]),
    ],
    ids=["columns", "names", "folders", "texts"],
)
def test_tags_come_from_columns_names_or_folders(images, expected):
    task = MultiLabel.of(images)
    assert task.columns == ("red", "round")
    targets = task.targets(images)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets, expected)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (in_folders([-1, -1], ()), "needs tags, but photos has none"),
        (with_table(labels=("", "")), "needs tags, but photos has none"),
        (with_table(red=("0", "")), "needs tags, but photos has none"),
        (with_table(red=("1", "0.5")), "'red' must have 0 or 1.*0.5 for 1.png"),
        (
            with_table(red=("1", "2")),
            "'red' must have numbers from 0 to 1.*'2'",
        ),
        (with_table(red=("1", "yes")), "Received: 'yes' for 1.png"),
    ],
)
def test_tags_that_cannot_be_learned_are_an_error(images, message):
    with pytest.raises(ValueError, match=message):
        MultiLabel.of(images)


@pytest.mark.parametrize(
    "images", [with_table(labels=("red;blue",)), in_folders([0], ("red+blue",))]
)
def test_tags_that_training_lacks_are_left_out_with_a_warning(images, caplog):
    targets = MultiLabel.of(COLUMNS).targets(images)
    np.testing.assert_array_equal(targets, [[1, 0]])
    assert "no training example has the tags 'blue'" in caplog.text


def test_another_set_needs_the_columns_of_training():
    with pytest.raises(ValueError, match="lacks the column 'round'"):
        MultiLabel.of(COLUMNS).targets(with_table(red=("1",)))


def test_loss_is_the_mean_cross_entropy_of_what_is_known():
    outputs = np.array([[0.5, -2.0, 1.0], [3.0, 0.1, -1.0]], np.float32)
    targets = np.array([[1, NAN, 0.25], [NAN, NAN, NAN]], np.float32)
    loss = MultiLabel(("a", "b", "c")).loss(targets, {"logits": outputs})
    p = 1 / (1 + np.exp(-outputs[0].astype(float)))
    expected = (
        -np.log(p[0]) - 0.25 * np.log(p[2]) - 0.75 * np.log(1 - p[2])
    ) / 2
    np.testing.assert_allclose(loss, [expected, 0], rtol=1e-6)


def test_what_is_unknown_has_no_gradient():
    outputs = tf.Variable([[1.0, 2.0]])
    targets = tf.constant([[1.0, NAN]])
    with tf.GradientTape() as tape:
        loss = MultiLabel(("a", "b")).loss(targets, {"logits": outputs})
    gradient = tape.gradient(loss, outputs).numpy()
    assert gradient[0, 0] < 0 and gradient[0, 1] == 0


def test_metrics_equal_sklearn_and_leave_out_tags_without_a_positive():
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 2, (50, 4)).astype(np.float32)
    targets[:, 3] = 0
    predictions = rng.random((50, 4)).astype(np.float32)
    result = MultiLabel("abcd").metrics(targets, predictions)
    each = [
        average_precision_score(targets[:, i], predictions[:, i])
        for i in range(3)
    ]
    assert result["mean_average_precision"] == pytest.approx(np.mean(each))
    for tag, value in zip("abc", each, strict=True):
        assert result[f"average_precision/{tag}"] == pytest.approx(value)
    assert np.isnan(result["average_precision/d"])
    expected = f1_score(targets, predictions >= 0.5, average="micro")
    assert result["micro_f1"] == pytest.approx(expected)


def test_unknown_values_do_not_count_in_any_metric():
    targets = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    predictions = np.array([[0.9, 0.6], [0.2, 0.7], [0.4, 0.8]])
    more = np.full((3, 2), NAN, np.float32)
    task = MultiLabel("ab")
    assert task.metrics(
        np.concatenate([targets, more]),
        np.concatenate([predictions, 1 - predictions]),
    ) == task.metrics(targets, predictions)


def test_predictions_that_are_not_finite_rank_nothing():
    targets = np.array([[1.0], [0.0], [0.0], [0.0]])
    result = MultiLabel("a").metrics(targets, np.full((4, 1), NAN))
    assert result["mean_average_precision"] == 0.25
    assert result["micro_f1"] == 0


def test_no_positive_to_judge_by_is_an_error():
    with pytest.raises(ValueError, match="none of 2 has one"):
        MultiLabel("a").metrics(np.zeros((2, 1)), np.ones((2, 1)))


def test_rows_have_the_tags_and_every_probability():
    rows = MultiLabel(("red", "round", "labels")).rows(
        {"probabilities": np.array([[0.75, 0.5, 0.25], [0.125, 0.25, 0.25]])}
    )
    assert rows == [
        {"labels": "red;round", "red": 0.75, "round": 0.5}
        | {"labels (value)": 0.25},
        {"labels": "", "red": 0.125, "round": 0.25, "labels (value)": 0.25},
    ]
