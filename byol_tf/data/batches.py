"""Batches of training examples, as `tf.data`."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples, Rows, Unreadable
from byol_tf.data.order import (
    part_size,
    places,
    steps_per_epoch,
)
from byol_tf.data.rows import bare, batch_spec, pack, power_of_two
from byol_tf.distribute.strategy import WHOLE, Shard
from byol_tf.runtime import cores

FOREVER = np.iinfo(np.int64).max
READERS = 4  # batches made at a time
AHEAD = 4  # batches kept ready

# `tf.data` rewrites functions and everything they call for graphs, which made
# cutting views in Python six times slower.
as_written = tf.autograph.experimental.do_not_convert


def training_batches(
    examples: Examples,
    batch_size: int,
    *,
    seed: int,
    start_step: int = 0,
    num_steps: int | None = None,
    shard: Shard = WHOLE,
    views=None,
    view_seed: Callable | None = None,
) -> tf.data.Dataset:
    """Makes shuffled full batches from a step on.

    The examples of a step are a pure function of `(seed, step)`: a run that
    continues at `start_step` gets the same ones, without reading earlier ones.
    Every epoch has its own order and holds an example at most once. If an
    encoded row is unreadable, the next readable one in the epoch's order
    replaces it.

    Args:
        examples: the training set.
        batch_size: examples per batch.
        seed: seed of the order, 0 or more.
        start_step: first step, counted from the beginning of training.
        num_steps: number of batches; None: without end.
        shard: which parts of every batch to read, one after another.
        views: the `Views` of a modality, to cut every row here; None: leave
            rows whole.
        view_seed: with `views`: see `with_views`.

    Returns:
        Dataset of `(batch, labels)`, where `part` is `batch_size` / replicas:
        arrays `[part, ...]` by name of `examples.spec`, or the only one, padded
        as in `Examples.take`; with `views` the tuple of `cut`'s outputs, each
        `[part, ...]`. Labels are int32 `[part]`.

    Raises:
        ValueError: if there is not one full batch, or as `part_size`.
    """
    count = examples.num_examples
    per_epoch = steps_per_epoch(count, batch_size)
    part = part_size(batch_size, shard)
    first_epoch, first_step = divmod(start_step, per_epoch)

    def order(epoch):
        positions = places(count, batch_size, shard)
        positions = positions[first_step if epoch == first_epoch else 0 :]
        positions = positions.reshape(-1, part)
        return positions, examples.order(seed, int(epoch))[positions]

    @as_written
    def steps_of_epoch(epoch):
        steps = tf.numpy_function(
            order, [epoch], (tf.int64, tf.int64), stateful=False
        )
        for tensor in steps:
            tensor.set_shape([None, part])
        steps = tf.data.Dataset.from_tensor_slices(tuple(steps))
        return steps.map(as_written(lambda *step: (epoch, *step)))

    steps = tf.data.Dataset.range(first_epoch, FOREVER).flat_map(steps_of_epoch)
    if num_steps is not None:
        steps = steps.take(num_steps * shard.count)
    if views is not None:
        seed_of = _seed_of(view_seed, start_step, shard)
        reader = _Reader(examples, seed, views)
        batches = _cut(steps, reader, views, seed_of, part)
    elif examples.dense:
        batches = _gather(steps, examples, part)
    else:
        batches = _padded(steps, _Reader(examples, seed), part)
    # The autotuning thread delays the end of an iteration by up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(AHEAD).with_options(options)


@contextlib.contextmanager
def plain_errors(examples: Examples) -> Iterator[None]:
    """Turns what stops the reading of rows into a ValueError."""
    try:
        yield
    except tf.errors.OpError as error:
        failure = examples.rows.failure if examples.encoded else None
        if failure is None:
            raise
        raise failure from error


def with_views(
    dataset: tf.data.Dataset,
    views: Callable,
    view_seed: Callable,
    *,
    start_step: int = 0,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Draws the two views in the pipeline instead of in the step.

    Args:
        dataset: batches of `(images, labels)`; becomes one of `((view1, view2),
            labels)`.
        views: `views(images, seed=int32 [2]) -> (view1, view2)`.
        view_seed: the model's, from `(step, replica)`, int64 scalars, so that
            views are the same in either place.
        start_step: step of the first batch.
        shard: shard of the batches.
    """
    seed_of = _seed_of(view_seed, start_step, shard)

    @as_written
    def draw(number, batch):
        images, labels = batch
        return tuple(views(images, seed=seed_of(number))), labels

    return (
        dataset.enumerate()
        .map(draw, num_parallel_calls=READERS, deterministic=True)
        .prefetch(AHEAD)
    )


def rows_for_views(
    examples: Examples, index: np.ndarray, views, seed: tf.Tensor
):
    """Makes the input of `views(..., seed)` from examples, outside a step.

    Returns:
        The rows `[n, ...]` of a dense set; else the tuple of `views.cut`'s
        outputs, `[n, ...]`.
    """
    if examples.dense:
        return tf.constant(examples.rows[index])
    numbers = views.numbers(seed, len(index))
    cut, _ = _cutter(examples, views, numbers.shape[1:])
    numbers = numbers.numpy()
    read = functools.partial(_read_to_cut, examples, views)
    cuts = [
        cut(read(row, draws), draws)
        for row, draws in zip(index, numbers, strict=True)
    ]
    return tuple(tf.constant(np.stack(c)) for c in zip(*cuts, strict=True))


def _read_to_cut(examples, views, row, numbers):
    """Reads a row, no larger than its cuts need if the views support it."""
    least = getattr(views, "least_side", None)
    return examples.read(row, least and functools.partial(least, numbers))


def _cutter(examples, views, shape):
    """Returns a function from a row and its numbers to views; their specs.

    Graph calls per row would cost more than cutting bytes does.
    """
    graph = tf.function(views.cut, autograph=False).get_concrete_function(
        bare(dict(examples.spec)), tf.TensorSpec(shape, tf.float32)
    )
    specs = [
        tf.TensorSpec(cut.shape, cut.dtype) for cut in graph.structured_outputs
    ]
    only_bytes = all(one.dtype == tf.uint8 for one in examples.spec.values())
    if only_bytes and hasattr(views, "cut_array"):
        return lambda row, draws: views.cut_array(bare(row), draws), specs

    def cut(row, draws):
        with tf.device("CPU"):
            row = tf.nest.map_structure(tf.constant, bare(row))
            return [x.numpy() for x in graph(row, tf.constant(draws))]

    return cut, specs


def _seed_of(view_seed, start_step, shard):
    """Returns a function from the number of a part to the seed of its views."""

    def seed_of(number):
        step = start_step + number // shard.count
        return view_seed(step, shard.first + number % shard.count)

    return seed_of


def _gather(steps, examples, part):
    """Makes batches of dense rows, copied in NumPy without duplicates."""
    array, labels = examples.rows, examples.labels.astype(np.int32)
    on_disk = isinstance(array, np.memmap | Rows)

    def read(rows):
        if not on_disk:
            return array[rows], labels[rows]
        order = np.argsort(rows)  # ascending: fewest jumps on the disk
        batch = np.empty((len(rows), *array.shape[1:]), array.dtype)
        batch[order] = array[rows[order]]
        return batch, labels[rows]

    @as_written
    def batch(epoch, places, rows):
        spec = batch_spec(examples.spec, part)
        return _call(read, [rows], spec, tf.TensorSpec([part], tf.int32))

    return steps.map(batch, num_parallel_calls=READERS, deterministic=True)


def _padded(steps, reader, part):
    """Makes batches of whole ragged or encoded rows."""
    examples = reader.examples
    padded = power_of_two if examples.encoded else examples.rows.padded

    def read(epoch, places, rows):
        with ThreadPoolExecutor() as pool:
            pairs = list(pool.map(lambda *at: reader(epoch, *at), places, rows))
        batch = pack([row for _, row in pairs], examples.spec, padded)
        labels = [examples.labels[number] for number, _ in pairs]
        return (*batch.values(), np.array(labels, np.int32))

    @as_written
    def batch(*step):
        spec = batch_spec(examples.spec, part)
        return _call(read, step, spec, tf.TensorSpec([part], tf.int32))

    return steps.map(batch, num_parallel_calls=READERS, deterministic=True)


def _cut(steps, reader, views, seed_of, part):
    """Makes batches of views, cutting each row in a thread."""
    examples = reader.examples

    def read(cut_row, epoch, place, row, draws):
        number, values = reader(epoch, place, row, draws)
        return *cut_row(values, draws), examples.labels[number]

    def cut_rows(cut_row, epoch, places, rows, numbers):
        with ThreadPoolExecutor(cores()) as pool:
            results = pool.map(
                functools.partial(read, cut_row, epoch), places, rows, numbers
            )
            *cuts, labels = zip(*results, strict=True)
        return *map(np.stack, cuts), np.array(labels, np.int32)

    @as_written
    def cut(number, step):
        numbers = views.numbers(seed_of(number), part)
        with tf.init_scope():
            cut_row, specs = _cutter(examples, views, numbers.shape[1:])
        crops = batch_spec(dict(enumerate(specs)), part)
        label_spec = tf.TensorSpec([part], tf.int32)
        rows = functools.partial(cut_rows, cut_row)
        cuts, labels = _call(rows, [*step, numbers], crops, label_spec)
        cuts = cuts.values() if len(crops) > 1 else [cuts]
        return tuple(cuts), labels

    return steps.enumerate().map(
        cut, num_parallel_calls=READERS // 2, deterministic=True
    )


def _call(read, arguments, spec, label_spec):
    """Calls a NumPy function; returns `(array or arrays by name, labels)`."""
    specs = [*spec.values(), label_spec]
    tensors = tf.numpy_function(
        read, arguments, [one.dtype for one in specs], stateful=False
    )
    for tensor, one in zip(tensors, specs, strict=True):
        tensor.set_shape(one.shape)
    *values, labels = tensors
    return bare(dict(zip(spec, values, strict=True))), labels


class _Reader:
    """Reads one row of a set, or the next readable one in an epoch's order."""

    def __init__(self, examples, seed, views=None):
        self.examples = examples
        self._views = views
        self._order = functools.lru_cache(2)(
            functools.partial(examples.order, seed)
        )

    def __call__(self, epoch, place, row, numbers=None):
        """Returns `(row that was read, arrays by name)`."""
        count = self.examples.num_examples
        for offset in range(count):
            if offset:
                row = self._order(int(epoch))[(place + offset) % count]
            try:
                return row, _read_to_cut(
                    self.examples, self._views, row, numbers
                )
            except Unreadable as error:
                reason = str(error)
                self.examples.rows.list_unreadable(row, reason)
        self.examples.rows.fail(
            f"none of the {count} rows of {self.examples.name} can be read; "
            f"of the last: {reason}"
        )
