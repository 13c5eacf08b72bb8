"""The HTTP server, with limits on number and time of connections."""

import asyncio
import contextlib
import functools
import json
import os
import resource
import socket

import h11
import uvicorn
from absl import logging
from uvicorn.protocols.http.h11_impl import H11Protocol

from byol_tf.serving import rest
from byol_tf.serving.service import Service

# Beyond the limit: for health, metrics, and 503 responses.
RESERVE = 16
_LOOK_S = 0.25  # between two checks of waiting connections
_LINGER_S = 2.0  # for requests that clients sent before they knew
_FILES = 64  # for the server itself, such as versions it loads


def most_connections(requested: int) -> int:
    """Returns the number of connections for each of two APIs, at least 1.

    Args:
        requested: the setting, which the limit of open files may lower.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    available = (limit - len(os.listdir("/dev/fd")) - _FILES) // 2 - RESERVE
    if limit == resource.RLIM_INFINITY or available >= requested:
        return requested
    available = max(available, 1)
    logging.warning(
        "limits.connections is lowered from %d to %d: this process may open %d "
        "files (ulimit -n)",
        *(requested, available, limit),
    )
    return available


class Connection(H11Protocol):
    """One connection; malformed requests get a JSON response.

    Attributes:
        since: the loop's time since when it has waited for the same thing.
    """

    def __init__(self, server: "RestServer", **options):
        super().__init__(**options)
        self._owner, self._last_wait = server, None
        self.since = self.loop.time()

    @property
    def waits_for(self) -> str:
        """What it waits for: "next" request, rest of "head", or "answer"."""
        if self.cycle is None or self.cycle.response_complete:
            return "head" if self.conn.trailing_data[0] else "next"
        return "answer"

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        if not self._owner.admit(self):
            self.app_state = {**self.app_state, "surplus": True}

    def look(self, now: float) -> None:
        """Closes the connection if it has waited too long.

        The service itself limits the time of a body and of a response.
        """
        limits, wait = self._owner.limits, (self.waits_for, id(self.cycle))
        if wait != self._last_wait:
            self._last_wait, self.since = wait, now
            return
        is_head = self.cycle is None or self.waits_for == "head"
        patience = limits.header_s if is_head else limits.idle_s
        if self.waits_for == "answer" or now - self.since <= patience:
            return
        if self.waits_for == "head":
            self._refuse(408, "the head of the request did not come in time")
        else:
            self.drop()

    def drop(self) -> None:
        """Closes the connection without a response."""
        self.connections.discard(self)
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Responds to invalid HTTP, and closes the connection."""
        self._refuse(400, msg)

    def _refuse(self, code, text):
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.drop()  # in the middle of a response
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # nobody waits for its response
            self.cycle.message_event.set()
        requests = self._owner.service.metrics.requests
        requests.labels("rest", "malformed", code).inc()
        body = json.dumps({"error": text}).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        for event in (
            h11.Response(status_code=code, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()


class RestServer(uvicorn.Server):
    """Uvicorn on a socket, without its own signal handlers.

    Args:
        service: service that answers.
        listener: a bound socket.
        max_connections: largest number of open connections, besides a
            small reserve.
    """

    def __init__(
        self, service: Service, listener: socket.socket, max_connections: int
    ):
        self.service, self.limits = service, service.settings.limits
        super().__init__(
            uvicorn.Config(
                rest.make_app(service),
                http=functools.partial(Connection, self),
                log_config=None,
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_keep_alive=self.limits.idle_s,
                timeout_graceful_shutdown=service.settings.grace_s,
            )
        )
        self._listener, self._max_connections = listener, max_connections
        self._serve_task = self._watch_task = None

    @contextlib.contextmanager
    def capture_signals(self):
        yield

    def admit(self, connection: Connection) -> bool:
        """Returns whether a new connection is within the limit.

        May close the connection that is idle longest.
        """
        others = self.server_state.connections - {connection}
        if len(others) < self._max_connections:
            return True
        idle = [c for c in others if c.waits_for != "answer"]
        if idle:
            min(idle, key=lambda c: c.since).drop()
        elif len(others) >= self._max_connections + RESERVE:
            connection.drop()
        return len(others) - bool(idle) < self._max_connections

    async def start(self) -> None:
        """Starts; returns when it listens.

        Raises:
            OSError: if another process listens there by now.
        """
        serving = self.serve(sockets=[self._listener])
        self._serve_task = asyncio.ensure_future(serving)
        while not self.started:
            if self._serve_task.done():
                await self._serve_task
            await asyncio.sleep(0.01)
        self._watch_task = asyncio.ensure_future(self._watch_connections())

    async def stop(self, grace: float) -> None:
        """Refuses new connections, and stops when requests in progress end.

        Args:
            grace: seconds until they are aborted.
        """
        for server in self.servers:
            server.close()
        self.force_exit = grace == 0
        # On kept-alive connections a request may be on its way; its response
        # closes the connection.
        loop = asyncio.get_running_loop()
        end = loop.time() + min(grace, _LINGER_S)
        while self.server_state.connections and loop.time() < end:
            if self.force_exit:
                break
            await asyncio.sleep(0.05)
        self.should_exit = True
        await self._serve_task
        self._watch_task.cancel()

    async def _watch_connections(self):
        while True:
            await asyncio.sleep(_LOOK_S)
            for connection in list(self.server_state.connections):
                connection.look(asyncio.get_running_loop().time())
