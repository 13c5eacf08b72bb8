"""Steps that are exported to run elsewhere."""

import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.compiled import export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A step with a constant, weights, a count, and weights it only reads."""
    rng = np.random.default_rng(0)
    weights = tf.Variable(rng.normal(size=(3, 2)).astype(np.float32))
    count = tf.Variable(7, dtype=tf.int64)
    read = tf.Variable(tf.ones((2,), tf.bfloat16))
    constant = tf.constant([[0.5, 0.25, 2.0]])

    def step(images):
        change = tf.transpose(tf.reduce_mean(images * constant, 0)[None])
        weights.assign_add(tf.tile(change, [1, 2]))
        count.assign_add(1)
        loss = tf.reduce_sum(weights) + tf.cast(read[0], tf.float32)
        return {"loss": loss, "count": tf.cast(count, tf.float32)}

    path = tmp_path_factory.mktemp("exported") / "step"
    export.write(path, step, [np.zeros((4, 3), np.float32)], {"batch": 4})
    return path, weights.numpy()


def told(path):
    return json.loads(path.with_suffix(".json").read_text())


def test_inputs_outputs_and_info_are_told(exported):
    found = told(exported[0])
    assert found["inputs"] == [[[4, 3], "float32"]]
    assert found["outputs"] == ["count", "loss"]
    assert found["info"] == {"batch": 4}


def test_each_variable_that_changes_has_its_new_value_among_the_results(
    exported,
):
    found = told(exported[0])
    changed = {
        tuple(found["parameters"][parameter - len(found["inputs"])]["shape"])
        for _, parameter in found["state"]
    }
    assert {(3, 2), ()} <= changed
    outputs = [output for output, _ in found["state"]]
    assert min(outputs) == len(found["outputs"])
    assert len(set(outputs)) == len(outputs)


def test_parameters_are_told_by_value_or_by_their_deviation(exported):
    path, weights = exported
    parameters = {
        (tuple(p["shape"]), p["dtype"]): p for p in told(path)["parameters"]
    }
    assert parameters[(), "int64"]["value"] == [7]
    assert parameters[(2,), "bfloat16"]["value"] == [1.0]
    assert parameters[(1, 3), "float32"]["value"] == [0.5, 0.25, 2.0]
    told_of = parameters[(3, 2), "float32"]
    assert told_of["deviation"] == pytest.approx(weights.std(), rel=1e-6)


def test_the_program_is_one_of_xla(exported):
    program = exported[0].with_suffix(".hlo").read_bytes()
    assert b"main" in program or b"step" in program
    assert len(program) > 500


def test_layers_choose_as_on_a_gpu_only_within_the_block():
    with export.for_a_gpu():
        assert tf.config.list_physical_devices("GPU")
        assert tf.config.list_physical_devices("CPU")
    assert not tf.config.list_physical_devices("GPU")
