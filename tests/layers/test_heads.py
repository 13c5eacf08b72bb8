"""The weights that projectors and predictors start with."""

import itertools

import numpy as np

from byol_tf.layers.heads import mlp


def test_no_layer_starts_with_the_numbers_of_another():
    model = mlp(32, 32, 32, layers=3, name="projector")
    kernels = [
        v.numpy().ravel() for v in model.weights if v.path[-6:] == "kernel"
    ]
    for one, other in itertools.combinations(kernels, 2):
        # Deviation 1/sqrt(1024) if independent.
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.15
    assert len(kernels) == 3
