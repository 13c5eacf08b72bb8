"""Exponential moving averages of lists of variables."""

from collections.abc import Sequence

import keras
import tensorflow as tf


def update_average(
    average: Sequence[keras.Variable],
    source: Sequence[keras.Variable],
    tau: tf.Tensor | float,
) -> None:
    """Moves `average` towards `source`: `average * tau + source * (1 - tau)`.

    Args:
        average: variables of the target network.
        source: variables of the online network, in the same order.
        tau: scalar in [0, 1]; 1 keeps the average, 0 copies the source.

    Raises:
        ValueError: if the lists differ in length.

    Reference: BYOL, section 3.1, equation 1.
    """
    for old, new in zip(average, source, strict=True):
        rate = tf.cast(1.0 - tau, old.dtype)
        old.assign_sub((old.value - new.value) * rate)
