"""A task of one's own, as a user would write it."""

import keras
import numpy as np
import tensorflow as tf

from byol_tf.tasks.task import VectorTask, vector_head


class Brightness(VectorTask):
    """The mean of an image's pixels, in [0, 1]."""

    name = "brightness"
    metric = "negative_error"
    prediction = "means"

    @classmethod
    def of(cls, labelled):
        return cls(("mean",))

    def targets(self, labelled):
        pixels = np.asarray(labelled.examples.rows, np.float32) / 255
        return pixels.mean(axis=(1, 2, 3))[:, np.newaxis]

    def head(self, specs):
        layer = keras.layers.Dense(1, dtype="float32", name="mean")
        return vector_head(specs, layer, {self.prediction: "sigmoid"})

    def loss(self, targets, outputs):
        return tf.reduce_mean((targets - outputs[self.prediction]) ** 2, -1)

    def metrics(self, targets, predictions):
        return {self.metric: -float(np.abs(targets - predictions).mean())}

    def rows(self, decoded):
        return [{"mean": float(row[0])} for row in decoded[self.prediction]]
