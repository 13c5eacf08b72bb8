"""Batch norms as of a trained model, without training one."""

import keras
import numpy as np

from byol_tf.layers.batch_norm import FusedBatchNormalization

_NORMS = (FusedBatchNormalization, keras.layers.BatchNormalization)


def randomise_norms(
    model: keras.Model, seed: int = 0, variance: float = 1.0
) -> keras.Model:
    """Draws all weights of the batch norms of a model without inner models.

    Those of a new one are 0 and 1, which would hide their being swapped or
    lost.

    Args:
        model: changed in place.
        seed: of the draws.
        variance: mean of the moving variances; a smaller one lets a deep
            model tell images apart.
    """
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, _NORMS):
            size = layer.moving_mean.shape
            layer.gamma.assign(rng.uniform(0.7, 1.3, size))
            layer.beta.assign(rng.normal(0, 0.3, size))
            layer.moving_mean.assign(rng.normal(0, 0.3, size))
            layer.moving_variance.assign(variance * rng.uniform(0.5, 1.5, size))
    return model
