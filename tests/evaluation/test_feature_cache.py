"""Features are computed once for each encoder, data set and preparation."""

import numpy as np
import pytest

from byol_tf.evaluation.feature_cache import FeatureCache

IDENTITY = {"file": "ab", "data": "cd", "preparation": {"size": [8, 8]}}


class Counted:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return np.full((3, 2), self.calls, np.float32)


def test_features_are_read_again_instead_of_computed(tmp_path):
    compute = Counted()
    first = FeatureCache(tmp_path).get(IDENTITY, 3, compute)
    again = FeatureCache(tmp_path).get(dict(IDENTITY), 3, compute)
    assert compute.calls == 1
    np.testing.assert_array_equal(first, again)
    assert again.dtype == np.float32
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "change",
    [{"file": "xx"}, {"data": "xx"}, {"preparation": {"size": [9, 9]}}],
)
def test_anything_else_in_the_identity_computes_anew(tmp_path, change):
    compute, cache = Counted(), FeatureCache(tmp_path)
    cache.get(IDENTITY, 3, compute)
    cache.get({**IDENTITY, **change}, 3, compute)
    assert compute.calls == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["torn", "empty", "pickled", "short"])
def test_a_damaged_file_is_computed_again(tmp_path, damage, caplog):
    compute, cache = Counted(), FeatureCache(tmp_path)
    cache.get(IDENTITY, 3, compute)
    path = cache.path(IDENTITY)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "pickled":
        objects = np.array([{}, []], dtype=object)
        np.savez(path, features=objects)
    else:
        np.savez(path, features=np.zeros((2, 2), np.float32))
    assert cache.get(IDENTITY, 3, compute)[0, 0] == 2
    assert cache.get(IDENTITY, 3, compute)[0, 0] == 2
    assert compute.calls == 2


def test_nothing_stays_when_the_computation_fails(tmp_path):
    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        FeatureCache(tmp_path).get(IDENTITY, 3, fail)
    assert not list(tmp_path.iterdir())
