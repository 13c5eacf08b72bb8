"""The outputs of a network for one view."""

from typing import NamedTuple

import tensorflow as tf


class Outputs(NamedTuple):
    """Outputs of one network for one view."""

    representation: tf.Tensor  # [batch, features]
    projection: tf.Tensor  # [batch, projection_size]
    prediction: tf.Tensor | None  # [batch, projection_size], online only

    def float32(self) -> "Outputs":
        """Casts all outputs to float32, in which losses are computed."""
        return Outputs(
            *(o if o is None else tf.cast(o, tf.float32) for o in self)
        )
