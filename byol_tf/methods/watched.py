"""Checks the inputs of `fit` early, since a compiled step cannot."""

import itertools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

ROWS = 256  # rows of an array that are checked


def watched(x, check: Callable):
    """Returns the inputs of `fit`, with a check of the first batch or of all.

    Args:
        x: argument of `fit`: an array, a `tf.data.Dataset`, a `PyDataset` or a
            generator of batches, which are inputs or `(inputs, labels)`. A
            dataset is checked batch by batch.
        check: raises a ValueError for a batch that cannot be used.
    """
    if isinstance(x, tf.data.Dataset):
        return x.map(lambda *batch: _checked_batch(batch, check))
    if isinstance(x, Iterator):
        first = next(x)
        check(_inputs(first))
        # Keras takes no iterators but generators of tuples.
        batches = itertools.chain([first], x)
        return (b if isinstance(b, tuple) else (b,) for b in batches)
    if isinstance(x, keras.utils.PyDataset):
        check(_inputs(x[0]))
    elif isinstance(x, np.ndarray | tf.Tensor):
        check(x[:ROWS])
    return x


def _inputs(batch):
    return batch[0] if isinstance(batch, tuple | list) else batch


def _checked_batch(batch, check):
    images = batch[0]
    if not isinstance(images, tf.Tensor) or not images.dtype.is_floating:
        return batch if len(batch) > 1 else images

    def check_images(images):
        check(tf.constant(images))
        return images

    checked = tf.numpy_function(check_images, [images], images.dtype)
    checked = tf.ensure_shape(checked, images.shape)
    return (checked, *batch[1:]) if len(batch) > 1 else checked
