"""Batches waiting requests, and computes them in threads."""

import asyncio
import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from absl import logging

from byol_tf.serving.errors import ServingError
from byol_tf.serving.model import Signature
from byol_tf.serving.settings import Batching

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(eq=False)
class _Job:
    """A request; `due` is when it stops waiting for others."""

    inputs: Arrays
    rows: int
    due: float
    answer: asyncio.Future

    def settle(self, result):
        """Sets the result: outputs, or an error to raise."""
        if self.answer.done():  # cancelled
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class _Lane:
    """Requests of one signature and shape, which may be batched together."""

    def __init__(self, signature, max_batch):
        self.signature = signature
        self.jobs = collections.deque()
        self._max_batch = max_batch
        self._full = asyncio.Event()

    @property
    def is_full(self):
        return sum(job.rows for job in self.jobs) >= self._max_batch

    def add(self, job):
        self.jobs.append(job)
        if self.is_full:
            self._full.set()

    async def wait(self):
        """Waits until a batch is full or its first request is due."""
        loop = asyncio.get_running_loop()
        while self.jobs and not self.is_full:
            remaining = self.jobs[0].due - loop.time()
            if remaining <= 0:
                return
            self._full.clear()
            try:
                await asyncio.wait_for(self._full.wait(), remaining)
            except asyncio.TimeoutError:
                return

    def take(self):
        """Returns the first requests, up to a batch."""
        batch, rows = [], 0
        while self.jobs:
            rows += self.jobs[0].rows
            if batch and rows > self._max_batch:
                break
            batch.append(self.jobs.popleft())
        return batch


class Batcher:
    """Computes requests, batching those of one signature and shape.

    Args:
        settings: how to batch.
        workers: threads that compute.
        observe: called with the number of requests and of images of each batch.

    Attributes:
        computing: number of batches in threads.
    """

    def __init__(
        self,
        settings: Batching,
        workers: int,
        observe: Callable[[int, int], None],
    ):
        self._max_batch = settings.max_batch if settings.enabled else 1
        self._wait = settings.max_wait_ms / 1000 if settings.enabled else 0.0
        self._observe = observe
        self._lanes = {}
        self._tasks = set()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, "compute")
        self._free = asyncio.Semaphore(workers)
        self.computing = 0

    @property
    def waiting(self) -> int:
        """Number of requests waiting to be computed."""
        return sum(len(lane.jobs) for lane in self._lanes.values())

    async def compute(self, signature: Signature, inputs: Arrays) -> dict:
        """Returns the outputs of one request.

        Raises:
            ServingError: raised by `signature` for this request alone.
        """
        loop = asyncio.get_running_loop()
        key, rows = object(), 1
        if signature.batched:
            shapes = [(name, a.shape[1:]) for name, a in inputs.items()]
            key = (signature, tuple(sorted(shapes)))
            rows = len(next(iter(inputs.values())))
        if key not in self._lanes:
            self._lanes[key] = _Lane(signature, self._max_batch)
            self._start(self._empty(key))
        lane = self._lanes[key]
        job = _Job(inputs, rows, loop.time() + self._wait, loop.create_future())
        lane.add(job)
        try:
            return await job.answer
        finally:
            if job in lane.jobs:  # cancelled
                lane.jobs.remove(job)

    def close(self) -> None:
        """Stops computing further requests."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)  # or it could be garbage-collected while running
        task.add_done_callback(self._tasks.discard)

    async def _empty(self, key):
        lane = self._lanes[key]
        while lane.jobs:
            await lane.wait()
            await self._free.acquire()
            self._start(self._run(lane.signature, lane.take()))
        del self._lanes[key]

    async def _run(self, signature, jobs):
        try:
            if not jobs:
                return
            self._observe(len(jobs), sum(job.rows for job in jobs))
            results = await self._in_thread(signature, jobs)
        except Exception as error:  # no thread accepts it
            results = [error] * len(jobs)
        finally:
            self._free.release()
        for job, result in zip(jobs, results, strict=True):
            job.settle(result)

    async def _in_thread(self, signature, jobs):
        requests = [job.inputs for job in jobs]
        loop = asyncio.get_running_loop()
        self.computing += 1
        # Still counted if cancelled, since the thread continues.
        results = await loop.run_in_executor(
            self._pool, _compute, signature, requests
        )
        self.computing -= 1
        return results


def _compute(signature, requests: Sequence[Arrays]) -> list:
    """Returns the outputs of each request, or its error."""
    if len(requests) > 1:
        try:
            return _compute_batch(signature, requests)
        except Exception:  # one is bad: compute each alone
            logging.debug("a batch is computed one by one", exc_info=True)
    return [_compute_single(signature, inputs) for inputs in requests]


def _compute_single(signature, inputs):
    try:
        return signature(inputs)
    except Exception as error:
        return error


def _compute_batch(signature, requests):
    batch = {
        name: np.concatenate([inputs[name] for inputs in requests])
        for name in requests[0]
    }
    outputs = signature(batch)
    lengths = [len(next(iter(inputs.values()))) for inputs in requests]
    if any(len(array) != sum(lengths) for array in outputs.values()):
        raise ServingError("the model must return one output per input")
    ends = np.cumsum(lengths)
    return [
        {name: array[end - n : end] for name, array in outputs.items()}
        for n, end in zip(lengths, ends, strict=True)
    ]
