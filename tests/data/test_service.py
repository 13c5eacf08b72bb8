"""Batches of a `tf.data` service whose dispatcher and worker run here."""

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.batches import training_batches, with_views
from byol_tf.data.examples import Examples
from byol_tf.data.service import service_batches
from byol_tf.distribute.strategy import Shard
from tests.support.workers import images


@pytest.fixture(scope="module")
def address():
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    worker = service.WorkerServer(
        service.WorkerConfig(dispatcher.target.split("://")[1])
    )
    yield dispatcher.target
    del worker


def by_first_label(batches):
    batches = [
        [np.asarray(array) for array in tf.nest.flatten(batch)]
        for batch in batches
    ]
    return sorted(batches, key=lambda batch: batch[-1][0])


def seed_of(step, replica):
    return tf.cast(tf.stack([step, replica]), tf.int32)


def noise(x, seed):
    drawn = tf.random.stateless_uniform(tf.shape(x), seed)
    return drawn, tf.cast(x, tf.float32) + drawn


def test_an_epoch_has_the_batches_of_the_local_pipeline(address):
    for start, steps in ((0, 4), (1, 3)):
        common = {"seed": 3, "start_step": start, "num_steps": steps}
        ours = service_batches(images(), 16, address, **common)
        local = training_batches(images(), 16, **common)
        for a, b in zip(*map(by_first_label, (ours, local)), strict=True):
            for ours_array, local_array in zip(a, b, strict=True):
                np.testing.assert_array_equal(ours_array, local_array)


def test_two_shards_have_each_image_once_an_epoch_over_epochs(address):
    parts = [
        list(
            service_batches(
                images(),
                16,
                address,
                seed=3,
                start_step=2,
                num_steps=6,
                shard=Shard(i, 1, 2),
            )
        )
        for i in range(2)
    ]
    labels = np.array([[np.asarray(y) for _, y in part] for part in parts])
    assert labels.shape == (2, 6, 8)
    assert len(np.unique(labels[:, 2:])) == 64  # the second epoch


def test_the_workers_draw_the_same_views(address):
    shard, start = Shard(2, 2, 4), 5
    ours = service_batches(
        images(),
        16,
        address,
        seed=3,
        start_step=start,
        num_steps=2,
        shard=shard,
        views=noise,
        view_seed=seed_of,
        shift=1,
    )
    local = training_batches(
        images(), 16, seed=3, start_step=start + 1, num_steps=2, shard=shard
    )
    local = with_views(local, noise, seed_of, start_step=start, shard=shard)
    for a, b in zip(*map(by_first_label, (ours, local)), strict=True):
        for ours_array, local_array in zip(a, b, strict=True):
            np.testing.assert_array_equal(ours_array, local_array)


@pytest.mark.parametrize("wrong", ["here", "grpc://127.0.0.1:1", "grpc://"])
def test_an_address_where_nobody_listens_is_told(wrong):
    batches = service_batches(
        images(), 16, wrong, seed=0, start_step=0, num_steps=1
    )
    with pytest.raises(ValueError, match="must be the address of a"):
        next(batches)


def test_images_on_the_disk_are_refused(address, tmp_path):
    pixels = np.memmap(tmp_path / "x", np.uint8, "w+", shape=(8, 4, 4, 3))
    on_disk = Examples(pixels, np.zeros(8, np.int32))
    batches = service_batches(
        on_disk, 4, address, seed=0, start_step=0, num_steps=1
    )
    with pytest.raises(ValueError, match=r"data\.cache=memory"):
        next(batches)
