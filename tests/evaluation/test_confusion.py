"""Confusion counts equal scikit-learn's, and the picture shows them."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from byol_tf.evaluation import confusion


def labels_and_predictions(classes=6):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 400)
    wrong = rng.random(400) < 0.3
    predictions = np.where(wrong, rng.integers(0, classes, 400), labels)
    return labels, predictions


def test_counts_equal_scikit_learns():
    labels, predictions = labels_and_predictions()
    ours = confusion.confusion_matrix(labels, predictions, 6)
    np.testing.assert_array_equal(
        ours, metrics.confusion_matrix(labels, predictions, labels=range(6))
    )


def test_accuracy_by_class_equals_scikit_learns_recall():
    labels, predictions = labels_and_predictions()
    matrix = confusion.confusion_matrix(labels, predictions, 6)
    np.testing.assert_allclose(
        confusion.per_class_accuracy(matrix),
        metrics.recall_score(labels, predictions, average=None),
    )


def test_a_class_without_examples_has_no_accuracy():
    matrix = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]])
    np.testing.assert_array_equal(
        confusion.per_class_accuracy(matrix), [0.75, np.nan, 1]
    )


def test_the_commonest_errors_come_first_and_hits_are_none():
    matrix = np.array([[90, 2, 0], [7, 50, 1], [0, 0, 9]])
    assert confusion.most_confused(matrix) == [(1, 0, 7), (0, 1, 2), (1, 2, 1)]
    assert confusion.most_confused(matrix, limit=1) == [(1, 0, 7)]
    assert confusion.most_confused(np.eye(3, dtype=int)) == []


@pytest.mark.parametrize("classes", [2, 10, 60])
def test_the_picture_is_drawn_for_few_and_many_classes(classes):
    labels, predictions = labels_and_predictions(classes)
    matrix = confusion.confusion_matrix(labels, predictions, classes)
    names = [f"a class with a long name {i}" for i in range(classes)]
    buffer = io.BytesIO()
    confusion.draw_confusion(matrix, buffer, class_names=names, title="title")
    pixels = np.asarray(Image.open(buffer).convert("RGB"))
    assert pixels.shape[1] > 1500
    blue = (pixels[..., 2] > 120) & (pixels[..., 0] < 60)
    assert blue.mean() > 0.005  # cells of the diagonal, and bars


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("names", [("$%$", "a$b^$c"), ("\u732b", "\u72ac")])
def test_names_may_look_like_formulas_or_lack_letters_in_the_font(names):
    matrix = np.eye(2, dtype=int) + 1
    confusion.draw_confusion(matrix, io.BytesIO(), class_names=names)


def test_perfect_predictions_are_drawn_without_errors_to_show():
    buffer = io.BytesIO()
    confusion.draw_confusion(
        np.diag([4, 5]), buffer, class_names=["cat", "dog"]
    )
    assert Image.open(buffer).size[0] > 1500


@pytest.mark.parametrize(
    "matrix,names", [(np.eye(2, dtype=int), ["a"]), (np.zeros((1, 1)), ["a"])]
)
def test_what_cannot_be_drawn_is_refused(matrix, names):
    with pytest.raises(ValueError, match="Received"):
        confusion.draw_confusion(matrix, io.BytesIO(), class_names=names)
