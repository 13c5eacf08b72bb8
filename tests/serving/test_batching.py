"""Requests that are joined get each its own answer."""

import asyncio
import threading

import numpy as np
import pytest

from byol_tf.serving.batching import Batcher
from byol_tf.serving.errors import BadRequest
from tests.support.settings import batching_settings


class Doubling:
    """A signature that doubles, refuses 13, and can be held."""

    def __init__(self, batched=True):
        self.batched = batched
        self.sizes = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, inputs):
        assert self.go.wait(20)
        values = inputs["x"]
        self.sizes.append(len(values))
        if 13 in values:
            raise BadRequest("13")
        return {"y": 2 * values}


def run(test, settings=None, workers=1, **about):
    seen = []
    signature = Doubling(**about)

    async def main():
        batcher = Batcher(
            settings or batching_settings(), workers, lambda *b: seen.append(b)
        )
        try:
            return await asyncio.wait_for(test(batcher, signature), 30)
        finally:
            signature.go.set()
            batcher.close()

    return asyncio.run(main()), signature, seen


def ask(batcher, signature, *values, shape=()):
    x = np.array(values, float).reshape(-1, *([1] * len(shape)))
    x = np.broadcast_to(x, (len(values), *shape))
    return batcher.compute(signature, {"x": x})


def ask_many(count, **kwargs):
    async def test(batcher, signature):
        asks = [ask(batcher, signature, n, -n, **kwargs) for n in range(count)]
        return await asyncio.gather(*asks, return_exceptions=True)

    return test


def test_requests_that_wait_are_computed_together():
    answers, signature, seen = run(ask_many(8))
    for n, answer in enumerate(answers):
        assert answer["y"].tolist() == [2 * n, -2 * n]
    assert signature.sizes == [16] and seen == [(8, 16)]


def test_a_batch_holds_no_more_than_it_may():
    _, signature, seen = run(ask_many(8), batching_settings(max_batch=5))
    assert signature.sizes == [4] * 4 and seen == [(2, 4)] * 4


def test_a_request_that_is_larger_is_computed_alone():
    async def test(batcher, signature):
        return await ask(batcher, signature, *range(9))

    answer, signature, _ = run(test, batching_settings(max_batch=4))
    assert signature.sizes == [9] and len(answer["y"]) == 9


def test_without_batching_each_is_computed_alone():
    answers, signature, _ = run(ask_many(8), batching_settings(enabled=False))
    assert signature.sizes == [2] * 8
    assert [a["y"].tolist() for a in answers] == [
        [2 * n, -2 * n] for n in range(8)
    ]


def test_a_bad_request_harms_no_other():
    answers, _, _ = run(ask_many(20))
    assert isinstance(answers.pop(13), BadRequest)
    for answer in answers:
        assert abs(answer["y"][0]) == abs(answer["y"][1])
    assert [a["y"][0] for a in answers] == [2 * n for n in range(20) if n != 13]


def test_requests_of_other_shapes_are_not_joined():
    async def test(batcher, signature):
        return await asyncio.gather(
            *(ask(batcher, signature, n, shape=(n % 2 + 1,)) for n in range(6))
        )

    answers, signature, _ = run(test)
    assert sorted(signature.sizes) == [3, 3]
    assert [a["y"].tolist() for a in answers] == [
        [[2.0 * n] * (n % 2 + 1)] for n in range(6)
    ]


def test_a_signature_without_rows_is_not_batched():
    _, signature, _ = run(ask_many(3), batched=False)
    assert signature.sizes == [2] * 3


def test_requests_come_together_while_the_worker_is_busy():
    async def test(batcher, signature):
        signature.go.clear()
        first = asyncio.ensure_future(ask(batcher, signature, 1))
        await asyncio.sleep(0.05)
        later = []
        for n in range(5):
            later.append(asyncio.ensure_future(ask(batcher, signature, n)))
            await asyncio.sleep(0.01)
        assert batcher.waiting == 5
        signature.go.set()
        await asyncio.gather(first, *later)
        assert batcher.waiting == 0

    _, signature, _ = run(test)
    assert signature.sizes == [1, 5]


def test_a_request_waits_for_others_as_long_as_it_may():
    async def test(batcher, signature):
        first = asyncio.ensure_future(ask(batcher, signature, 1))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, ask(batcher, signature, 2))

    assert run(test, batching_settings(max_wait_ms=5000, max_batch=2))[
        1
    ].sizes == [2]
    assert run(test, batching_settings(max_wait_ms=1))[1].sizes == [1, 1]


def test_a_request_that_is_given_up_is_not_computed():
    async def test(batcher, signature):
        signature.go.clear()
        first = asyncio.ensure_future(ask(batcher, signature, 1))
        await asyncio.sleep(0.05)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ask(batcher, signature, 2), 0.05)
        assert batcher.waiting == 0
        signature.go.set()
        await first
        return await ask(batcher, signature, 3)

    answer, signature, _ = run(test)
    assert answer["y"].tolist() == [6] and signature.sizes == [1, 1]


def test_several_workers_compute_at_once():
    async def test(batcher, signature):
        signature.go.clear()
        asks = []
        for n in range(2):
            asks.append(asyncio.ensure_future(ask(batcher, signature, n)))
            await asyncio.sleep(0.05)
        assert batcher.waiting == 0
        signature.go.set()
        await asyncio.gather(*asks)

    assert run(test, workers=2)[1].sizes == [1, 1]
