"""Two replicas that share a batch do what one does with all of it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.distribute.replicas import gather_replicas
from tests.support.scripts import run_script
from tests.support.two_replicas import LOSSES


@pytest.fixture(scope="module")
def found():
    done = run_script("tests/support/two_replicas.py")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_two_replicas_have_the_loss_and_gradient_of_one(found, name):
    one, two = found[name]["one"], found[name]["two"]
    assert two["value"] == pytest.approx(one["value"], rel=1e-5)
    assert np.abs(one["gradient"]).max() > 1e-3
    np.testing.assert_allclose(
        two["gradient"], one["gradient"], rtol=1e-3, atol=1e-5
    )


def test_one_replica_gathers_nothing_but_its_own():
    vectors = tf.ones((3, 2))
    assert gather_replicas(vectors) is vectors
