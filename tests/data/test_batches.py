"""Batches: what comes, in which order, and where a run continues."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data.batches import plain_errors, training_batches, with_views
from byol_tf.data.examples import Encoded, Examples, Ragged, Unreadable
from byol_tf.data.order import block_order, epoch_order, steps_per_epoch
from byol_tf.distribute.strategy import Shard


@pytest.fixture
def images():
    """23 images; the first two bytes of each are its label."""
    labels = np.arange(23)
    pixels = np.random.default_rng(0).integers(0, 256, (23, 4, 5, 3), np.uint8)
    pixels[:, 0, 0, 0] = labels
    return Examples(pixels, labels.astype(np.int32))


@pytest.fixture
def on_disk(images, tmp_path):
    np.save(tmp_path / "images.npy", images.rows)
    pixels = np.load(tmp_path / "images.npy", mmap_mode="r")
    return Examples(pixels, images.labels)


def labels_of(dataset):
    return [labels.tolist() for _, labels in dataset.as_numpy_iterator()]


def test_full_batches_of_an_epoch():
    assert steps_per_epoch(23, 4) == 5
    assert steps_per_epoch(4, 4) == 1


@pytest.mark.parametrize("batch_size", [0, -1, 24])
def test_a_batch_that_cannot_be_filled_is_an_error(images, batch_size):
    message = f"at most the number of training examples, 23.*={batch_size}"
    with pytest.raises(ValueError, match=message):
        training_batches(images, batch_size, seed=0)


def test_shapes_and_types_are_known_before_the_first_batch(images):
    assert training_batches(images, 4, seed=0).element_spec == (
        tf.TensorSpec((4, 4, 5, 3), tf.uint8),
        tf.TensorSpec((4,), tf.int32),
    )


@pytest.mark.parametrize("source", ["images", "on_disk"])
def test_pixels_stay_with_their_labels(source, images, request):
    stored = request.getfixturevalue(source)
    batches = training_batches(stored, 6, seed=1, num_steps=5)
    for pixels, labels in batches.as_numpy_iterator():
        np.testing.assert_array_equal(pixels, images.rows[labels])


def test_an_epoch_covers_the_set_once_but_for_the_remainder(images):
    steps = labels_of(training_batches(images, 4, seed=0, num_steps=15))
    for epoch in np.reshape(steps, (3, 20)):
        assert len(set(epoch)) == 20


def test_the_remainder_is_another_one_in_another_epoch(images):
    steps = labels_of(training_batches(images, 4, seed=0, num_steps=50))
    assert set(np.ravel(steps)) == set(range(23))


def test_every_epoch_and_seed_has_an_order_of_its_own():
    orders = [epoch_order(50, seed, e) for seed in range(3) for e in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(50))


def test_orders_are_uniform():
    # Each example is at each of 5 places 4,000 / 5 times; standard deviation
    # sqrt(4000 * 0.2 * 0.8) = 25.
    orders = np.array([epoch_order(5, 7, epoch) for epoch in range(4000)])
    counts = np.array([np.bincount(place, minlength=5) for place in orders.T])
    assert np.abs(counts - 800).max() < 5 * 25


def test_order_is_the_same_for_ever():
    # Sorted raw output of Philox 4x64 with ten rounds and key (3, 1), counter
    # from 1 on; fixed here so that saved runs continue alike.
    np.testing.assert_array_equal(
        epoch_order(10, 3, 1), np.argsort(_philox(3, 1, 10), kind="stable")
    )


@pytest.mark.parametrize("count", [65_537, 200_000])
def test_blocks_and_rows_within_groups_are_permuted(count):
    rows = block_order(count, 3, 1)
    np.testing.assert_array_equal(np.sort(rows), np.arange(count))
    group = 64 * 1024
    for start in range(0, count, group):
        blocks = np.unique(rows[start : start + group] // 1024)
        assert len(blocks) <= 65  # one block ends in the next group
    assert (np.diff(rows[:999]) < 0).any()
    assert (rows != block_order(count, 3, 2)).any()


def test_few_rows_have_one_order_in_every_store():
    np.testing.assert_array_equal(block_order(99, 3, 1), epoch_order(99, 3, 1))


def _philox(key0, key1, count):
    """Philox 4x64-10 (Salmon et al. 2011) in Python integers."""
    mask = 2**64 - 1
    output = []
    for counter in range(1, count // 4 + 2):
        x, k = [counter, 0, 0, 0], [key0, key1]
        for _ in range(10):
            p0 = 0xD2E7470EE14C6C93 * x[0]
            p1 = 0xCA5A826395121157 * x[2]
            x = [
                (p1 >> 64) ^ x[1] ^ k[0],
                p1 & mask,
                (p0 >> 64) ^ x[3] ^ k[1],
                p0 & mask,
            ]
            k = [
                (k[0] + 0x9E3779B97F4A7C15) & mask,
                (k[1] + 0xBB67AE8584CAA73B) & mask,
            ]
        output += x
    return np.array(output[:count], np.uint64)


@pytest.mark.parametrize("start", [0, 1, 4, 5, 7, 12, 19])
def test_continuing_gives_what_an_uninterrupted_run_gets(images, start):
    whole = training_batches(images, 4, seed=5, num_steps=22)
    rest = training_batches(
        images, 4, seed=5, start_step=start, num_steps=22 - start
    )
    whole, rest = (
        list(whole.as_numpy_iterator()),
        list(rest.as_numpy_iterator()),
    )
    assert len(rest) == 22 - start
    for expected, got in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])


def test_continuing_late_reads_no_earlier_data(images):
    class Counting:
        shape, dtype = images.rows.shape, images.rows.dtype
        reads = 0

        def __len__(self):
            return len(images.rows)

        def __getitem__(self, rows):
            Counting.reads += 1
            return images.rows[rows]

    counted = Examples(Counting(), images.labels)
    batches = training_batches(
        counted, 4, seed=0, start_step=10**12 + 3, num_steps=1
    )
    assert len(labels_of(batches)) == 1
    assert Counting.reads == 1


def test_training_batches_do_not_end_by_themselves(images):
    batches = training_batches(images, 20, seed=0)
    assert len(labels_of(batches.take(40))) == 40


def test_order_does_not_depend_on_the_number_of_threads(images):
    batches = training_batches(images, 4, seed=2, num_steps=12)
    results = []
    for threads in (1, 8):
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        results.append(labels_of(batches.with_options(options)))
    assert results[0] == results[1]


def test_examples_need_not_be_images():
    signals = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
    data = Examples(signals, np.full(9, -1, np.int32))
    (batch, labels), *_ = training_batches(data, 9, seed=0, num_steps=1)
    assert batch.dtype == tf.float32
    np.testing.assert_array_equal(np.sort(batch, 0), np.sort(signals, 0))
    np.testing.assert_array_equal(labels, [-1] * 9)


# ---- views in the pipeline ----------------------------------------------


def shifted_views(images, seed):
    """Stand-in for an augmentation: adds what the seed says."""
    images = tf.cast(images, tf.int32)
    return images + seed[0], images - seed[1]


def view_seed(step, replica):
    step = tf.cast(step, tf.int32) + 7 * tf.cast(replica, tf.int32)
    return tf.stack([step * 1000, step])


@pytest.mark.parametrize("start", [0, 3, 8])
def test_pipeline_views_use_the_seed_of_their_step(images, start):
    batches = training_batches(images, 4, seed=0, start_step=start, num_steps=6)
    viewed = with_views(batches, shifted_views, view_seed, start_step=start)
    results = list(viewed.as_numpy_iterator())
    assert len(results) == 6
    for i, ((view1, view2), labels) in enumerate(results):
        step, pixels = start + i, images.rows[labels].astype(int)
        np.testing.assert_array_equal(view1, pixels + 1000 * step)
        np.testing.assert_array_equal(view2, pixels - step)


def test_no_thread_that_tunes_holds_up_the_end(images):
    batches = training_batches(images, 4, seed=0)
    viewed = with_views(batches, shifted_views, view_seed)
    for dataset in (batches, viewed):
        assert dataset.options().autotune.enabled is False


def test_pipeline_views_keep_static_shapes(images):
    batches = training_batches(images, 4, seed=0)
    viewed = with_views(batches, shifted_views, view_seed)
    spec = tf.TensorSpec((4, 4, 5, 3), tf.int32)
    assert viewed.element_spec == ((spec, spec), tf.TensorSpec((4,), tf.int32))


# ---- rows that are not dense --------------------------------------------

SIGNAL = {"signal": tf.TensorSpec([None], tf.float32)}


def write_signals(folder, count=23, damaged=()):
    """Files of 5 to 40 numbers: the first is that of the file."""
    rng = np.random.default_rng(0)
    arrays = []
    for number in range(count):
        array = rng.normal(size=rng.integers(5, 41)).astype(np.float32)
        array[0] = number
        data = b"damaged" if number in damaged else array.tobytes()
        (folder / f"{number:02}.sig").write_bytes(data)
        arrays.append(array)
    return arrays


def read_signal(path):
    data = path.read_bytes()
    if data == b"damaged":
        raise Unreadable("it says so")
    return np.frombuffer(data, np.float32)


def files(folder, count=23):
    return Examples(
        Encoded([folder / f"{number:02}.sig" for number in range(count)]),
        np.arange(count, dtype=np.int32),
        decode=read_signal,
        spec=SIGNAL,
    )


class Windows:
    """Two windows of 4 numbers, wherever the draws say, and the draws."""

    def numbers(self, seed, count):
        return tf.random.stateless_uniform([count, 2], seed)

    def cut(self, row, numbers):
        free = tf.cast(tf.size(row) - 4, tf.float32)
        starts = tf.cast(numbers * free, tf.int32)
        one, two = (row[starts[i] : starts[i] + 4] for i in range(2))
        return tf.ensure_shape(one, [4]), tf.ensure_shape(two, [4])


def windows_of(folder, **options):
    options = {"seed": 3, "num_steps": 12, **options}
    batches = training_batches(
        files(folder), 4, views=Windows(), view_seed=view_seed, **options
    )
    return list(batches.as_numpy_iterator())


def assert_equal(a, b):
    for one, two in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True):
        np.testing.assert_array_equal(one, two)


def test_ragged_batches_are_the_rows_of_dense_ones_padded(images, tmp_path):
    arrays = write_signals(tmp_path)
    ragged = Examples(Ragged.of(arrays), images.labels, spec=SIGNAL)
    dense = labels_of(training_batches(images, 4, seed=3, num_steps=12))
    batches = training_batches(ragged, 4, seed=3, num_steps=12)
    assert batches.element_spec == (
        {
            "signal": tf.TensorSpec([4, None], tf.float32),
            "length": tf.TensorSpec([4], tf.int32),
        },
        tf.TensorSpec([4], tf.int32),
    )
    for (batch, labels), expected in zip(
        batches.as_numpy_iterator(), dense, strict=True
    ):
        assert labels.tolist() == expected
        assert batch["signal"].shape[1] in ragged.rows.padded_lengths
        for row, length, label in zip(
            batch["signal"], batch["length"], labels, strict=True
        ):
            np.testing.assert_array_equal(row[:length], arrays[label])
            assert not row[length:].any()


def test_files_are_decoded_in_the_order_of_dense_rows(images, tmp_path):
    arrays = write_signals(tmp_path)
    dense = labels_of(training_batches(images, 4, seed=3, num_steps=7))
    batches = training_batches(files(tmp_path), 4, seed=3, num_steps=7)
    for (batch, labels), expected in zip(
        batches.as_numpy_iterator(), dense, strict=True
    ):
        assert labels.tolist() == expected
        for row, length, label in zip(
            batch["signal"], batch["length"], labels, strict=True
        ):
            np.testing.assert_array_equal(row[:length], arrays[label])


def test_each_row_is_cut_by_its_row_of_the_draws_of_its_step(images, tmp_path):
    arrays = write_signals(tmp_path)
    dense = labels_of(training_batches(images, 4, seed=3, num_steps=12))
    for step, (views, labels) in enumerate(windows_of(tmp_path)):
        assert labels.tolist() == dense[step]
        draws = Windows().numbers(view_seed(step, 0), 4).numpy()
        for i, label in enumerate(labels):
            whole = arrays[label]
            for view, draw in zip(views, draws[i], strict=True):
                start = int(draw * np.float32(len(whole) - 4))
                np.testing.assert_array_equal(view[i], whole[start : start + 4])


@pytest.mark.parametrize("start", [1, 5, 9])
def test_cut_batches_go_on_bit_for_bit(tmp_path, start):
    write_signals(tmp_path, damaged=[3, 8])
    whole = windows_of(tmp_path)
    rest = windows_of(tmp_path, start_step=start, num_steps=12 - start)
    assert_equal(whole[start:], rest)


@pytest.mark.parametrize("damaged", [(), (3, 8, 20)])
def test_shards_put_together_are_the_labels_of_one_device(tmp_path, damaged):
    write_signals(tmp_path, damaged=damaged)
    whole = windows_of(tmp_path)
    parts = [
        windows_of(tmp_path, shard=Shard(first, 1, 2)) for first in range(2)
    ]
    for step in range(12):
        labels = [part[step][1] for part in parts]
        np.testing.assert_array_equal(np.concatenate(labels), whole[step][1])


def test_two_replicas_of_one_worker_are_two_workers(tmp_path):
    write_signals(tmp_path, damaged=[3])
    both = windows_of(tmp_path, shard=Shard(0, 2, 2))
    for first in range(2):
        assert_equal(
            both[first::2], windows_of(tmp_path, shard=Shard(first, 1, 2))
        )


def test_dense_rows_can_be_cut_too(images):
    class Corner:
        numbers = Windows.numbers

        def cut(self, row, numbers):
            return row[:2, :2], numbers

    batches = training_batches(
        images, 6, seed=1, num_steps=3, views=Corner(), view_seed=view_seed
    )
    for (corner, _), labels in batches.as_numpy_iterator():
        np.testing.assert_array_equal(corner, images.rows[labels, :2, :2])


@pytest.mark.parametrize("cut", [True, False])
def test_the_next_readable_row_of_the_order_takes_the_place(tmp_path, cut):
    damaged = [3, 8, 20]
    write_signals(tmp_path, damaged=damaged)
    options = {"views": Windows(), "view_seed": view_seed} if cut else {}
    examples = files(tmp_path)
    got = labels_of(
        training_batches(examples, 4, seed=3, num_steps=10, **options)
    )
    for epoch in range(2):
        order = epoch_order(23, 3, epoch).tolist()
        for place in range(20):
            following = (order + order)[place:]
            expected = next(row for row in following if row not in damaged)
            step = 5 * epoch + place // 4
            assert got[step][place % 4] == expected


def test_unreadable_rows_are_listed_once(tmp_path):
    write_signals(tmp_path, damaged=[3, 8])
    listed = []
    examples = files(tmp_path)
    examples.rows.listen = lambda *found: listed.append(found)
    batches = training_batches(examples, 4, seed=3, num_steps=25)
    assert len(labels_of(batches)) == len(labels_of(batches)) == 25
    assert sorted(listed) == [
        (tmp_path / "03.sig", "it says so"),
        (tmp_path / "08.sig", "it says so"),
    ]


def test_reading_many_files_shows_how_far_it_is(tmp_path, monkeypatch, capsys):
    write_signals(tmp_path)
    monkeypatch.setattr("byol_tf.data.examples.MANY", 23)
    assert files(tmp_path).readable().num_examples == 23
    assert "23.0/23.0" in capsys.readouterr().err


def test_a_set_without_a_readable_row_ends_with_the_reason(tmp_path):
    write_signals(tmp_path, damaged=range(23))
    examples = files(tmp_path)
    batches = training_batches(examples, 4, seed=3, num_steps=1)
    message = r"^none of the 23 rows .*says so$"
    with pytest.raises(ValueError, match=message), plain_errors(examples):
        labels_of(batches)


def test_another_error_of_a_pipeline_stays_as_it_is(images):
    with pytest.raises(tf.errors.NotFoundError), plain_errors(images):
        tf.io.read_file("nowhere")


def test_each_file_is_read_once_for_its_batch(tmp_path):
    write_signals(tmp_path)
    read = []

    def counted(path):
        read.append(path.name)
        return read_signal(path)

    examples = dataclasses.replace(files(tmp_path), decode=counted)
    batches = training_batches(
        examples, 4, seed=3, num_steps=2, views=Windows(), view_seed=view_seed
    )
    labels = np.ravel(labels_of(batches))
    assert sorted(read) == sorted(f"{label:02}.sig" for label in labels)
