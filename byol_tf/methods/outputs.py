"""What a network says of a view."""

from typing import NamedTuple

import tensorflow as tf


class Outputs(NamedTuple):
    """What one network says of one view."""

    representation: tf.Tensor  # [batch, features]
    projection: tf.Tensor  # [batch, projection_size]
    prediction: tf.Tensor | None  # [batch, projection_size], online only

    def float32(self) -> "Outputs":
        """The same in float32, in which losses are computed."""
        return Outputs(
            *(o if o is None else tf.cast(o, tf.float32) for o in self)
        )
