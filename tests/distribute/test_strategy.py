"""Which devices a name stands for, and what is said where they are missing."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.batches import training_batches, with_views
from byol_tf.distribute.strategy import (
    Distribution,
    Shard,
    WorkerLostError,
    make_distribution,
)
from byol_tf.jobs.pretrain import build as builders
from byol_tf.layers.batch_norm import FusedBatchNormalization, synchronize
from configs import base
from tests.support.workers import images


def tf_config(cluster, job="worker", index=0):
    return json.dumps(
        {"cluster": cluster, "task": {"type": job, "index": index}}
    )


def test_a_cpu_is_one_device_of_the_default_strategy():
    found = make_distribution("auto")
    assert found.strategy is tf.distribute.get_strategy()
    assert found.replicas == found.workers == 1 and found.is_chief
    assert found.shard == Shard()
    assert found.gather(3.5) == [3.5]


@pytest.mark.parametrize(
    "name,told",
    [
        (
            "two",
            "auto, one, mirrored, multi_worker, tpu. Received: strategy='two'",
        ),
        ("mirrored", "needs two GPUs or more"),
        ("multi_worker", "TF_CONFIG"),
        ("tpu", "needs a TPU VM"),
    ],
)
def test_what_is_missing_is_told(name, told):
    with pytest.raises(ValueError, match=told):
        make_distribution(name)


@pytest.mark.parametrize(
    "value,told",
    [
        ("{", "TF_CONFIG is malformed"),
        (tf_config("here"), "TF_CONFIG is malformed"),
        (tf_config({"ps": ["a:1"], "worker": ["b:1"]}), "Received: ps"),
        (tf_config({"worker": ["a:1", "b:1"]}, index=2), "2 of worker"),
        (tf_config({"worker": ["a:1", "b:1"]}, "chief"), "type='chief'"),
    ],
)
@pytest.mark.parametrize("name", ["auto", "multi_worker"])
def test_a_wrong_tf_config_is_one_clear_line(monkeypatch, name, value, told):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(ValueError, match=told) as raised:
        make_distribution(name)
    assert "\n" not in str(raised.value)


def test_a_cluster_of_one_is_one_device(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config({"worker": ["127.0.0.1:1"]}))
    assert make_distribution("auto").workers == 1
    with pytest.raises(ValueError, match="two workers or more"):
        make_distribution("multi_worker")


def test_the_step_of_one_device_is_that_of_the_model():
    step = Distribution().step_function(lambda x: {"loss": x + 1.0})
    assert float(step(tf.constant(1.0))["loss"]) == 2.0


@pytest.mark.parametrize(
    "field,value,told",
    [
        ("batch_size", 30, "batch_size must be a multiple of 4 on 4 devices"),
        ("optimizer.accumulate_steps", 2, "accumulate_steps must be 1"),
        ("jit_compile", "yes", "jit_compile must be auto or no"),
    ],
)
def test_what_several_devices_cannot_do_is_told(field, value, told):
    config = base.get_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=told):
        builders.check_replicas(config, 4)
    builders.check_replicas(config, 1)


# ---- parts of a batch ---------------------------------------------------


def numbers(shard, start=0):
    """Image numbers `[steps, replicas of the shard, part]` of two epochs."""
    parts = training_batches(
        images(),
        16,
        seed=3,
        start_step=start,
        num_steps=8 - start,
        shard=shard,
    )
    labels = [labels for _, labels in parts.as_numpy_iterator()]
    return np.reshape(labels, (8 - start, shard.count, -1))


@pytest.mark.parametrize("start", [0, 3])
def test_the_parts_of_all_workers_are_the_batch_of_one_device(start):
    whole = numbers(Shard(), start)[:, 0]
    shards = [Shard(0, 2, 4), Shard(2, 2, 4)]
    parts = np.concatenate([numbers(s, start) for s in shards], axis=1)
    assert parts.shape == (8 - start, 4, 4)
    np.testing.assert_array_equal(parts.reshape(-1, 16), whole)


def test_an_epoch_has_no_image_twice():
    parts = np.stack([numbers(Shard(i, 1, 2)) for i in range(2)])
    for epoch in (parts[:, :4], parts[:, 4:]):
        assert len(np.unique(epoch)) == epoch.size == 64


def test_a_batch_must_divide():
    with pytest.raises(ValueError, match="number of replicas, 3"):
        training_batches(images(), 16, seed=0, shard=Shard(0, 1, 3))


def test_views_of_the_pipeline_are_drawn_by_step_and_replica():
    shard = Shard(2, 2, 4)
    parts = training_batches(images(), 16, seed=0, num_steps=3, shard=shard)
    drawn = with_views(
        parts,
        lambda x, seed: (seed, seed),
        lambda step, replica: tf.stack([step, replica]),
        start_step=7,
        shard=shard,
    )
    seeds = [views[0].tolist() for views, _ in drawn.as_numpy_iterator()]
    assert seeds == [[7, 2], [7, 3], [8, 2], [8, 3], [9, 2], [9, 3]]


# ---- batch norm ---------------------------------------------------------


def test_synchronizing_is_set_in_networks_within_networks():
    norms = FusedBatchNormalization(), keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((4,)), norms[0]])
    outer = keras.Sequential([keras.Input((4,)), inner, norms[1]])
    for choice in (False, True):
        synchronize(outer, choice)
        assert [norm.synchronized for norm in norms] == [choice, choice]


def one_of_two(answers):
    """The chief of two workers, whose sums have these answers, then fail."""
    answers = iter(answers)

    def total(_own):
        for answer in answers:
            return tf.constant(answer, tf.float64)
        raise tf.errors.UnavailableError(None, None, "Socket closed")

    class Two(Distribution):
        shard = Shard(replicas=2)
        _sum = staticmethod(total)

    return Two(workers=2)


def test_a_worker_that_ends_after_a_sum_takes_nothing_from_the_others():
    assert one_of_two([[1.0, 2.0]]).gather(1.0) == [1.0, 2.0]


def test_a_worker_that_is_gone_before_a_sum_is_missed():
    found = one_of_two([])
    with pytest.raises(WorkerLostError, match="died"), found.watched():
        found.gather(1.0)
