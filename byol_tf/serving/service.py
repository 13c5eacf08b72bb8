"""The service behind REST and gRPC."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from absl import logging

from byol_tf.serving import limits
from byol_tf.serving.batching import Batcher
from byol_tf.serving.errors import NotFound, Overloaded, ServingError, TimedOut
from byol_tf.serving.metrics import Metrics
from byol_tf.serving.model import Signature
from byol_tf.serving.settings import Settings
from byol_tf.serving.versions import Versions

REST, GRPC = "rest", "grpc"


class Answer(NamedTuple):
    """A prediction: which version and signature made it, and its outputs."""

    version: int
    signature: str
    outputs: dict[str, np.ndarray]


# By method and path: from the body of a request to a response and its media
# type. Called in a thread; a ValueError gives status 400.
Routes = Mapping[tuple[str, str], Callable[[bytes], tuple[str, str]]]


class NoVersions(NamedTuple):
    """Replaces a model's versions if only routes are served."""

    newest: None = None
    states: Mapping = MappingProxyType({})


class Service:
    """A model behind a name, with limits and metrics.

    Args:
        name: name of the model; "" if there are only routes.
        versions: versions of the model.
        settings: see `configs/serve.py`.
        routes: functions to serve besides the model.

    Attributes:
        draining: whether it is about to stop.
        routes: functions served besides the model.
    """

    def __init__(
        self,
        name: str,
        versions: Versions | NoVersions,
        settings: Settings,
        routes: Routes = MappingProxyType({}),
    ):
        self.name = name
        self.routes = routes
        self.versions = versions
        self.settings = settings
        self.draining = False
        self.metrics = Metrics()
        self._batcher = Batcher(
            settings.batching, settings.workers, self._observe
        )
        self._in_progress = 0
        self._watch()

    @property
    def ready(self) -> bool:
        """Whether to send requests here."""
        serves = self.versions.newest is not None or bool(self.routes)
        return serves and not self.draining

    @contextlib.contextmanager
    def admitted(self, api: str) -> Iterator[None]:
        """Reserves a place for a prediction within the block.

        Raises:
            Overloaded: if there is none.
        """
        max_requests = self.settings.limits.requests
        if self._in_progress >= max_requests:
            raise Overloaded(
                f"{max_requests} requests are in progress; try later"
            )
        self._in_progress += 1
        start = time.perf_counter()
        try:
            yield
        finally:
            self._in_progress -= 1
            seconds = time.perf_counter() - start
            self.metrics.seconds.labels(api).observe(seconds)

    async def in_time(self, awaitable):
        """Awaits a result within the time limit of a request.

        Raises:
            TimedOut: if it takes longer.
        """
        try:
            return await asyncio.wait_for(awaitable, self.settings.timeout_s)
        except asyncio.TimeoutError as error:
            raise TimedOut(
                f"not answered within {self.settings.timeout_s:g} s"
            ) from error

    def check_name(self, name: str) -> None:
        """Raises a NotFound unless this is the model's name."""
        if name != self.name:
            raise NotFound(
                f"model `{name}` is not served here; served: {self.name}"
            )

    async def predict(
        self,
        name: str,
        version: int | None,
        signature: str,
        inputs_of: Callable[[Signature], dict[str, np.ndarray]],
    ) -> Answer:
        """Computes the model's outputs.

        Args:
            name: name of the model.
            version: its number; None: the newest.
            signature: its name; "": the default.
            inputs_of: makes the inputs for a signature.

        Raises:
            ServingError: if it cannot be computed.
        """
        self.check_name(name)
        with self.versions.lease(version) as leased:
            chosen = leased.signature(signature)
            inputs = inputs_of(chosen)
            chosen.check(inputs)
            inputs, reasons = limits.screen(
                chosen, inputs, self.settings.limits
            )
            outputs = await self._batcher.compute(chosen, inputs)
            if chosen.batched:
                self.metrics.images.inc(len(next(iter(inputs.values()))))
            outputs = limits.restore(outputs, reasons)
            for reason in limits.refusals(outputs):
                self.metrics.refused.labels(reason).inc()
            return Answer(leased.number, chosen.name, outputs)

    def explain(
        self, error: Exception, number: str, request: str
    ) -> ServingError:
        """Returns the error to respond with; logs unexpected ones.

        Args:
            error: the raised error.
            number: id of the request.
            request: description of the request.
        """
        if isinstance(error, ServingError):
            return error
        logging.error("request %s: %s", number, request, exc_info=error)
        return ServingError(
            f"internal error; the server's log has more of request {number}"
        )

    def close(self) -> bool:
        """Stops computing further requests.

        Returns:
            Whether none is still being computed.
        """
        self._batcher.close()
        return self._batcher.computing == 0

    def _observe(self, requests, images):
        self.metrics.batch_requests.observe(requests)
        self.metrics.batch_images.observe(images)

    def _watch(self):
        states = self.versions.states
        newest = lambda: getattr(self.versions.newest, "number", 0)  # noqa: E731
        self.metrics.version.set_function(newest)
        self.metrics.queue.set_function(lambda: self._batcher.waiting)
        self.metrics.progress.set_function(lambda: self._in_progress)
        self.metrics.broken.set_function(
            lambda: sum(bool(state.error) for state in states.values())
        )


def request_id(headers: Mapping[str, str]) -> str:
    """Returns the client's `x-request-id` if short and plain, or a new one.

    Args:
        headers: headers of the request, by lower-case name.
    """
    client_id = headers.get("x-request-id", "")
    is_plain = (
        client_id.isascii()
        and client_id.isprintable()
        and 0 < len(client_id) <= 64
    )
    return client_id if is_plain else secrets.token_hex(8)
