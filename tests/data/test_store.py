"""Decoding in threads, some items ahead of who uses them."""

import threading

import pytest

from byol_tf.data.examples import Unreadable
from byol_tf.data.store import Store, decoded_chunks
from tests.support.disks import disk


def test_all_items_come_in_their_order():
    chunks = list(decoded_chunks(range(7), lambda item: -item, 3))
    assert chunks == [
        [(0, 0), (1, -1), (2, -2)],
        [(3, -3), (4, -4), (5, -5)],
        [(6, -6)],
    ]


def test_nothing_comes_of_nothing():
    assert not list(decoded_chunks([], str))


def test_the_next_items_are_decoded_while_some_are_used():
    begun = [threading.Event() for _ in range(6)]
    chunks = decoded_chunks(range(6), lambda item: begun[item].set(), 2)
    next(chunks)
    assert all(event.wait(60) for event in begun[:4])
    assert not any(event.is_set() for event in begun[4:])
    chunks.close()


def test_what_nobody_wants_is_not_decoded():
    begun, closing = [], threading.Event()

    def prepare(item):
        begun.append(item)
        if item >= 100:
            closing.wait(60)

    chunks = decoded_chunks(range(200), prepare, 100)
    next(chunks)
    threading.Timer(0.5, closing.set).start()
    chunks.close()
    assert len(begun) < 200


def test_an_error_of_an_image_stands_in_its_place():
    error = Unreadable("damaged")

    def prepare(item):
        if item == 1:
            raise error
        return item

    assert list(decoded_chunks(range(3), prepare)) == [
        [(0, 0), (1, error), (2, 2)]
    ]


def test_any_other_error_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(decoded_chunks([0], lambda item: 1 / item))


def test_a_full_disk_is_an_error_before_anything_is_decoded(tmp_path):
    def write(array):
        raise AssertionError("it was asked to")

    with disk(tmp_path, "size=64k"):
        with pytest.raises(OSError, match="cannot be written: No space left"):
            Store("disk", cache_dir=tmp_path).fill(
                *(1000, (10, 10), write), name="a", key=0
            )
        assert not list(tmp_path.iterdir())
