"""What `fit` is given is looked at before the step is compiled."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.methods.watched import watched

GOOD = np.full((6, 4, 4, 1), 0.5, np.float32)
BAD = GOOD * 300
LABELS = np.zeros(6, np.int32)


def check(images):
    if np.max(images) > 1:
        raise ValueError(f"too bright: {np.max(images):g}")


class Batches(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.images, LABELS


@pytest.mark.parametrize(
    "given",
    [
        lambda images: images,
        tf.constant,
        Batches,
        lambda images: iter([images, images]),
        lambda images: iter([(images, LABELS)] * 2),
    ],
    ids=["array", "tensor", "PyDataset", "generator", "pairs"],
)
def test_the_first_batch_is_checked_and_still_given(given):
    with pytest.raises(ValueError, match="too bright: 150"):
        watched(given(BAD), check)
    x = watched(given(GOOD), check)
    if hasattr(x, "__next__"):
        # As Keras demands.
        assert isinstance(x, types.GeneratorType)
        assert [type(batch) for batch in x] == [tuple, tuple]


@pytest.mark.parametrize("labels", [(), (LABELS,)])
def test_every_batch_of_a_dataset_is_checked(labels):
    def batches(*images):
        parts = (np.concatenate(images), *(np.tile(y, 2) for y in labels))
        parts = parts if labels else parts[0]
        return tf.data.Dataset.from_tensor_slices(parts).batch(6)

    x = watched(batches(GOOD, GOOD), check)
    assert x.element_spec == batches(GOOD, GOOD).element_spec
    assert len(list(x)) == 2
    steps = iter(watched(batches(GOOD, BAD), check))
    next(steps)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too bright"):
        next(steps)


def test_a_dataset_of_views_is_left_alone():
    views = tf.data.Dataset.from_tensors(((BAD, BAD), LABELS))
    assert len(list(watched(views, check))) == 1
