"""Classification: labels, loss, metrics."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from byol_tf.data.examples import Examples
from byol_tf.data.label_table import LabelTable
from byol_tf.tasks.classification import Classification
from byol_tf.tasks.task import Labelled

CLASSES = ("ant", "bee", "cat")


def labelled(labels, names=CLASSES, table=None):
    labels = np.array(labels, np.int32)
    images = Examples(np.zeros((len(labels), 2, 2, 1), np.uint8), labels, names)
    return Labelled(images, table)


def with_table(**columns):
    count = len(next(iter(columns.values())))
    table = LabelTable([f"{i}.png" for i in range(count)], columns)
    return labelled([-1] * count, (), table)


def log_softmax(outputs):
    outputs = outputs - outputs.max(axis=1, keepdims=True)
    return outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))


@pytest.fixture
def outputs():
    return np.random.default_rng(0).normal(0, 3, (3, 3)).astype(np.float32)


# ---- labels ------------------------------------------------------------


def test_targets_are_one_hot_and_nan_where_there_is_no_label():
    task = Classification.of(labelled([1, 0, -1]))
    assert task.columns == CLASSES
    targets = task.targets(labelled([2, -1, 0]))
    assert targets.dtype == np.float32
    nan = np.nan
    np.testing.assert_array_equal(
        targets, [[0, 0, 1], [nan, nan, nan], [1, 0, 0]]
    )


def test_classes_without_names_are_called_by_their_number():
    task = Classification.of(labelled([0, 2, 1], names=("ant",)))
    assert task.columns == ("ant", "1", "2")


@pytest.mark.parametrize(
    "columns",
    [
        {"label": ("dog", "cat", "", "dog"), "age": ("1", "2", "3", "4")},
        {"kind": ("dog", "cat", "", "dog")},
    ],
)
def test_labels_of_a_table_are_its_column_label_or_the_only_one(columns):
    images = with_table(**columns)
    task = Classification.of(images)
    assert task.columns == ("cat", "dog")
    np.testing.assert_array_equal(
        task.strata(task.targets(images)), [1, 0, -1, 1]
    )


def test_a_class_has_the_same_target_in_another_set_with_other_numbers():
    task = Classification.of(labelled([0, 1, 2]))
    other = labelled([0, 1], names=("cat", "bee"))
    np.testing.assert_array_equal(task.strata(task.targets(other)), [2, 1])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            labelled([-1, -1], ()),
            "two classes or more.*no labels, or all are the same",
        ),
        (labelled([1, 1]), "all labels are 'bee'"),
        (with_table(label=("cat", "cat")), "all labels are 'cat'"),
        (with_table(label=("", "")), "there are no labels"),
        (with_table(a=("x", "y"), b=("x", "y")), "must have a column 'label'"),
    ],
)
def test_labels_that_cannot_be_learned_are_an_error(images, message):
    with pytest.raises(ValueError, match=message):
        Classification.of(images)


def test_a_class_that_training_lacks_is_an_error_that_names_it():
    task = Classification.of(labelled([0, 1, 2]))
    with pytest.raises(ValueError, match="lack: 'dog'; the known ones are"):
        task.targets(labelled([0, 1], names=("ant", "dog")))


# ---- loss ------------------------------------------------------------


def test_loss_is_cross_entropy_of_mixed_targets(outputs):
    targets = np.array([[0, 1, 0], [0.3, 0, 0.7], [1, 0, 0]], np.float32)
    loss = Classification(CLASSES).loss(targets, {"logits": outputs})
    expected = -(targets * log_softmax(outputs)).sum(axis=1)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_smoothing_spreads_a_share_of_the_target_evenly(outputs):
    targets = np.eye(3, dtype=np.float32)
    loss = Classification(CLASSES, label_smoothing=0.3).loss(
        targets, {"logits": outputs}
    )
    smooth = 0.7 * targets + 0.1
    expected = -(smooth * log_softmax(outputs)).sum(axis=1)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_smoothed_example_weighs_as_much_as_its_class(outputs):
    targets = np.eye(3, dtype=np.float32)
    weights = (0.5, 4.0, 1.5)
    plain = Classification(CLASSES, 0.2).loss(targets, {"logits": outputs})
    weighted = Classification(CLASSES, 0.2, weights).loss(
        targets, {"logits": outputs}
    )
    np.testing.assert_allclose(weighted, plain * weights, rtol=1e-5)


def test_weighted_smoothed_loss_of_a_mix_is_the_mix_of_losses(outputs):
    task = Classification(CLASSES, 0.2, (0.5, 4.0, 1.5))
    one = np.array([[1, 0, 0]] * 3, np.float32)
    other = np.array([[0, 0, 1]] * 3, np.float32)
    mixed = task.loss(0.25 * one + 0.75 * other, {"logits": outputs})
    expected = 0.25 * task.loss(one, {"logits": outputs}) + 0.75 * task.loss(
        other, {"logits": outputs}
    )
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)


def test_an_example_without_a_label_has_neither_loss_nor_gradient():
    outputs = tf.Variable([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        loss = Classification(CLASSES).loss(
            tf.fill((1, 3), np.nan), {"logits": outputs}
        )
    assert loss.numpy() == [0]
    np.testing.assert_array_equal(tape.gradient(loss, outputs), [[0, 0, 0]])


def test_balanced_weights_are_inverse_to_the_counts():
    images = labelled([0] * 6 + [1] * 3 + [2] * 1 + [-1] * 5)
    task = Classification.of(images, class_weights="balanced")
    expected = [10 / (3 * 6), 10 / (3 * 3), 10 / (3 * 1)]
    np.testing.assert_allclose(task.class_weights, expected, rtol=1e-12)


def test_given_weights_have_a_mean_of_one_over_the_images():
    images = labelled([0] * 6 + [1] * 3 + [2] * 1)
    task = Classification.of(images, class_weights=(1, 2, 8))
    weights = np.array(task.class_weights)
    np.testing.assert_allclose(weights / weights[0], [1, 2, 8], rtol=1e-12)
    assert weights @ [6, 3, 1] == pytest.approx(10)


def test_equal_weights_change_nothing(outputs):
    images = labelled([0, 1, 1, 2])
    weighted = Classification.of(images, class_weights=(7, 7, 7))
    targets = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(
        weighted.loss(targets, {"logits": outputs}),
        Classification.of(images).loss(targets, {"logits": outputs}),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_smoothing": 1.0}, "`label_smoothing` must be in"),
        ({"label_smoothing": -0.1}, "`label_smoothing` must be in"),
        ({"class_weights": "even"}, "`class_weights` must be 'none'"),
        ({"class_weights": (1, 2)}, "`class_weights` must be 3 positive"),
        ({"class_weights": (1, 2, 0)}, "`class_weights` must be 3 positive"),
    ],
)
def test_options_that_do_not_fit_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        Classification.of(labelled([0, 1, 2]), **options)


# ---- metrics ------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_accuracies_equal_sklearn_over_the_labelled_images():
    rng = np.random.default_rng(1)
    labels = rng.choice(7, 80, p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05, 0])
    predictions = rng.dirichlet(np.ones(7), 80)
    targets = np.eye(7, dtype=np.float32)[labels]
    targets[::9] = np.nan
    known = ~np.isnan(targets[:, 0])
    guesses = predictions[known].argmax(axis=1)
    result = Classification(range(7)).metrics(targets, predictions)
    assert result == {
        "accuracy": pytest.approx(accuracy_score(labels[known], guesses)),
        "balanced_accuracy": pytest.approx(
            balanced_accuracy_score(labels[known], guesses)
        ),
        "top5_accuracy": pytest.approx(
            np.mean(
                [
                    label in np.argsort(row)[-5:]
                    for label, row in zip(
                        labels[known], predictions[known], strict=True
                    )
                ]
            )
        ),
    }


def test_of_five_classes_there_is_no_top_5():
    result = Classification(range(5)).metrics(np.eye(5), np.eye(5))
    assert result == {"accuracy": 1, "balanced_accuracy": 1}


def test_predictions_that_are_not_finite_are_wrong():
    predictions = np.full((6, 6), np.nan)
    result = Classification(range(6)).metrics(np.eye(6), predictions)
    assert set(result.values()) == {0.0} and len(result) == 3


def test_no_label_to_judge_by_is_an_error():
    with pytest.raises(ValueError, match="none of 2 has one"):
        Classification(CLASSES).metrics(np.full((2, 3), np.nan), np.eye(2, 3))


def test_rows_have_the_label_and_every_probability():
    rows = Classification(CLASSES).rows(
        {"probabilities": np.array([[0.25, 0.5, 0.25]])}
    )
    assert rows == [
        {"label": "bee", "probability": 0.5, "ant": 0.25, "bee": 0.5}
        | {"cat": 0.25}
    ]


def test_a_class_called_like_a_column_keeps_its_own():
    rows = Classification(("label", "path", "start")).rows(
        {"probabilities": np.array([[0.25, 0.5, 0.25]])}
    )
    assert rows == [
        {"label": "path", "probability": 0.5, "label (value)": 0.25}
        | {"path (value)": 0.5, "start (value)": 0.25}
    ]


def test_a_table_of_another_length_than_the_images_is_an_error():
    table = LabelTable(("a.png",), {"label": ("cat",)})
    with pytest.raises(ValueError, match="1 rows for 2 examples"):
        labelled([0, 1], CLASSES, table)
