"""Encoded rows that are kept in a form which is quicker to read."""

import os

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data import pack
from byol_tf.data.batches import training_batches
from byol_tf.data.examples import Encoded, Examples, Unreadable
from byol_tf.data.pack import estimated_bytes, packed
from byol_tf.data.store import Store

COUNT, BAD = 11, 4
SPEC = {"signal": tf.TensorSpec([None], tf.uint8)}


class Doubled:
    """Keeps each byte twice; reads every second one."""

    key, about = "doubled", "doubled"

    def __init__(self, of_files=False):
        self.of_files, self.encoded = of_files, []

    def encode(self, item):
        if item == b"bad":
            raise Unreadable("it says so")
        self.encoded.append(item)
        return item if self.of_files else np.repeat(decode(item), 2).tobytes()

    def size(self, item):
        return 2 * len(item)

    def __call__(self, data):
        step = 1 if self.of_files else 2
        return np.frombuffer(data, np.uint8)[::step]


def decode(item):
    if item == b"bad":
        raise Unreadable("it says so")
    return np.frombuffer(item, np.uint8)


@pytest.fixture
def examples():
    items = [bytes(range(n, n + 3 + n % 4)) for n in range(COUNT)]
    items[BAD] = b"bad"
    labels = np.arange(COUNT, dtype=np.int32)
    return Examples(Encoded(items), labels, decode=decode, spec=SPEC)


@pytest.fixture(params=[False, True], ids=["memory", "disk"])
def kept(request, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "ROWS", 4)
    return packed(examples, Doubled(), Store(cache_dir=tmp_path), request.param)


def test_rows_are_those_of_the_items(kept, examples):
    for row in set(range(COUNT)) - {BAD}:
        np.testing.assert_array_equal(
            kept.read(row)["signal"], examples.read(row)["signal"]
        )


def test_items_are_not_read_where_their_rows_are_kept(examples, monkeypatch):
    kept = packed(examples, Doubled(), Store(), False)
    monkeypatch.setattr(kept.rows, "items", None)
    np.testing.assert_array_equal(kept.read(0)["signal"], range(3))


def test_a_part_of_the_rows_has_its_own(kept, examples):
    part = kept.subset(np.array([9, 2]))
    assert part.read(0)["signal"][0] == 9 and part.read(1)["signal"][0] == 2


def test_a_part_can_be_packed(examples):
    part = packed(examples.subset(np.array([9, 2])), Doubled(), Store(), False)
    assert part.read(0)["signal"][0] == 9 and part.read(1)["signal"][0] == 2


def test_batches_are_those_of_the_items(kept, examples):
    both = [
        list(training_batches(each, 4, seed=1, num_steps=5))
        for each in (kept, examples)
    ]
    for ours, theirs in zip(*map(tf.nest.flatten, both), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_cannot_be_read_is_listed_once(kept):
    assert kept.rows.unreadable == {BAD: "it says so"}
    with pytest.raises(Unreadable, match="it says so"):
        kept.read(BAD)


def test_too_many_that_cannot_be_read_end_it(examples):
    def refuse(item, reason):
        raise ValueError("too many")

    examples.rows.listen = refuse
    with pytest.raises(ValueError, match="too many"):
        packed(examples, Doubled(), Store(), False)


def test_files_are_used_again_and_finished(examples, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "ROWS", 4)
    store, again = Store(cache_dir=tmp_path), Doubled()
    packed(examples, Doubled(), store, True)
    packed(examples, again, store, True)
    assert not again.encoded
    sorted(tmp_path.glob("*.npy"))[1].unlink()
    kept = packed(examples, again, store, True)
    assert again.encoded == examples.rows[np.array([5, 6, 7])]
    assert kept.read(6)["signal"][0] == 6


def test_only_other_bytes_are_other_data(examples):
    same, other = (
        packed(examples, Doubled(of_files), Store(), False).fingerprint()
        for of_files in (True, False)
    )
    assert same == examples.fingerprint() != other


def test_bytes_are_estimated_from_some_rows(examples):
    lengths = sum(map(len, examples.rows.items))
    assert estimated_bytes(examples, Doubled()) == 2 * lengths


def test_a_file_that_is_gone_is_not_estimated(examples, monkeypatch):
    codec = Doubled()
    monkeypatch.setattr(codec, "size", lambda item: os.stat("gone").st_size)
    assert estimated_bytes(examples, codec) == 0


def test_rows_are_packed_once(kept):
    again = Doubled()
    assert packed(kept, again, Store(), False) is kept and not again.encoded
