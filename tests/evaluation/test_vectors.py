"""Vectors of length one."""

import numpy as np
import pytest

from byol_tf.evaluation.vectors import unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_vectors_of_any_scale_get_length_one(scale, dtype):
    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype(dtype)
    found = unit_rows(vectors * dtype(scale))
    assert found.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    assert not unit_rows(np.zeros((1, 3), dtype)).any()
