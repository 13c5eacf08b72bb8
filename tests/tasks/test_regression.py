"""Regression: columns, units, loss, metrics."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import huber
from sklearn.metrics import mean_absolute_error, r2_score

from byol_tf.tasks.regression import Regression
from byol_tf.tasks.task import Labelled
from tests.support.tables import with_table

NAN = np.nan


IMAGES = with_table(
    weight=("1000", "3000", "", "2000"), height=("0.5", "0.1", "0.3", "")
)


@pytest.fixture
def task():
    return Regression.of(IMAGES)


def test_targets_are_numbers_in_the_units_of_the_table(task):
    assert task.columns == ("weight", "height")
    targets = task.targets(IMAGES)
    assert targets.dtype == np.float32
    expected = [[1000, 0.5], [3000, 0.1], [NAN, 0.3], [2000, NAN]]
    np.testing.assert_array_equal(targets, np.float32(expected))


def test_mean_and_deviation_are_those_of_the_known_values(task):
    np.testing.assert_allclose(task.mean, [2000, 0.3], rtol=1e-12)
    expected = [np.std([1000, 3000, 2000]), np.std([0.5, 0.1, 0.3])]
    np.testing.assert_allclose(task.deviation, expected, rtol=1e-12)


def test_the_head_takes_standardized_values_to_units(task):
    head = task.head({"vector": tf.TensorSpec([None, 3])})
    kernel, bias = np.eye(3, 2), np.array([0.5, -1.0])
    head.set_weights([kernel, bias])
    outputs = head({"vector": np.array([[2.0, 3.0, 9.0]], np.float32)})
    outputs = outputs["numbers"]
    expected = np.array([2.5, 2.0]) * task.deviation + task.mean
    np.testing.assert_allclose(outputs[0], expected, rtol=1e-6)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"


def test_loss_is_that_of_huber_in_deviations():
    task = Regression(("a", "b", "c"), (5, 0, 1), (2, 0.1, 10))
    targets = np.array([[4, 0.05, NAN], [NAN] * 3], np.float32)
    outputs = np.array([[16, 0.25, 7], [1, 2, 3]], np.float32)
    # Six deviations, which is beyond three, and two.
    expected = (huber(3, 6) + huber(3, 2)) / 2
    loss = task.loss(targets, {"numbers": outputs})
    np.testing.assert_allclose(loss, [expected, 0], rtol=1e-5)


def test_what_is_unknown_has_no_gradient(task):
    outputs = tf.Variable([[2500.0, 0.2]])
    with tf.GradientTape() as tape:
        loss = task.loss(tf.constant([[2000.0, NAN]]), {"numbers": outputs})
    gradient = tape.gradient(loss, outputs).numpy()
    np.testing.assert_allclose(
        gradient, [[500 / task.deviation[0] ** 2, 0]], rtol=1e-5
    )


def test_metrics_equal_sklearn_over_what_is_known():
    rng = np.random.default_rng(3)
    targets = rng.normal(5, 2, (40, 2)).astype(np.float32)
    predictions = targets + rng.normal(0, 1, (40, 2)).astype(np.float32)
    targets[rng.random((40, 2)) < 0.2] = NAN
    result = Regression("ab", (0, 0), (1, 1)).metrics(targets, predictions)
    r2, error = [], []
    for i, column in enumerate("ab"):
        known = ~np.isnan(targets[:, i])
        pair = targets[known, i], predictions[known, i]
        r2.append(r2_score(*pair))
        error.append(mean_absolute_error(*pair))
        assert result[f"r2/{column}"] == pytest.approx(r2[i], rel=1e-5)
    assert result["r2"] == pytest.approx(np.mean(r2), rel=1e-5)
    assert result["mean_absolute_error"] == pytest.approx(
        np.mean(error), rel=1e-5
    )


@pytest.mark.parametrize(("prediction", "r2"), [(2.0, 1.0), (3.0, 0.0)])
def test_r2_of_equal_numbers_is_that_of_sklearn(prediction, r2):
    targets = np.full((3, 1), 2.0, np.float32)
    predictions = np.full((3, 1), prediction)
    result = Regression("a", (0,), (1,)).metrics(targets, predictions)
    assert result["r2"] == r2 == r2_score(targets, predictions)
    assert set(result) == {"r2", "mean_absolute_error"}


def test_predictions_that_are_not_finite_are_worse_than_any():
    targets = np.array([[1.0], [2.0]])
    task = Regression("a", (0,), (1,))
    result = task.metrics(targets, np.array([[1.0], [NAN]]))
    assert result == {"r2": -np.inf, "mean_absolute_error": np.inf}


def test_nothing_known_to_judge_by_is_an_error(task):
    with pytest.raises(ValueError, match=r"none of 2 .* column 'height'"):
        task.metrics(np.array([[1, NAN], [2, NAN]]), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (with_table(a=("1", "cat")), "'a' must have numbers.*'cat' for 1.png"),
        (with_table(a=("1", "nan")), "Received: 'nan' for 1.png"),
        (with_table(a=("1", "inf")), "Received: 'inf' for 1.png"),
        (with_table(a=("1", "1,5")), "Received: '1,5' for 1.png"),
        (with_table(a=("7", "7", "")), "'a' of the label table has only 7"),
        (with_table(a=("", "")), "'a' of the label table has 0"),
        (with_table(a=("1.7e9", "1700000059")), "to 1700000059, are too large"),
        (with_table(a=("1", "1e40")), "'a', 1 to 1e.40, are too large"),
        (Labelled(IMAGES.examples), "regression needs a file of labels"),
    ],
)
def test_columns_that_cannot_be_learned_are_an_error(images, message):
    with pytest.raises(ValueError, match=message):
        Regression.of(images)


def test_another_set_needs_the_columns_of_training(task):
    with pytest.raises(ValueError, match="lacks the column 'height'"):
        task.targets(with_table(weight=("1", "2")))


def test_options_that_do_not_fit_are_an_error():
    for mean, deviation in (((0,), (1, 1)), ((0, 0), (1, 0))):
        with pytest.raises(ValueError, match="`mean` and `deviation`"):
            Regression("ab", mean, deviation)


def test_rows_have_the_columns_of_the_table(task):
    assert task.rows({"numbers": np.array([[1500.0, 0.25]])}) == [
        {"weight": 1500.0, "height": 0.25}
    ]
