"""The server by HTTP, its connections within limits of number and time."""

import asyncio
import contextlib
import json
import os
import resource
import socket

import h11
import uvicorn
from absl import logging
from uvicorn.protocols.http.h11_impl import H11Protocol

from byol_tf.serving import rest
from byol_tf.serving.metrics import Metrics
from byol_tf.serving.service import Service
from byol_tf.serving.settings import Limits

_LOOK_S = 0.25  # between two looks at how long connections wait
# Beyond the limit, for health and metrics, and to tell others to come later.
RESERVE = 16
_LINGER_S = 2.0  # in which clients send what they did before they knew
_FILES = 64  # that the server itself may open, such as versions it loads


def most_connections(wanted: int) -> int:
    """How many connections each of two APIs may hold, at least 1.

    Args:
        wanted: the setting, which the limit of open files may lower.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/dev/fd"))
    room = (limit - used - _FILES) // 2 - RESERVE
    if limit != resource.RLIM_INFINITY and room < wanted:
        logging.warning(
            "limits.connections is lowered from %d to %d: this process may "
            "open %d files (ulimit -n)",
            *(wanted, max(room, 1), limit),
        )
        return max(room, 1)
    return wanted


class Connections:
    """Those of one server; makes uvicorn's protocols, and ends them in time.

    Args:
        limits: of the server.
        most: how many, besides a few in reserve.
        metrics: counts what could not be understood.
    """

    def __init__(self, limits: Limits, most: int, metrics: Metrics):
        self.limits = limits
        self.metrics = metrics
        self._most = most
        self._open = {}  # since when each waits for the same, oldest first

    def __call__(self, **options) -> "Connection":
        """A new connection's protocol, with the arguments of uvicorn."""
        return Connection(self, **options)

    def add(self, connection: "Connection") -> bool:
        """Adds one, for which the one that is idle longest may have to go.

        Returns:
            Whether it is within the limit.
        """
        if len(self._open) >= self._most:
            idle = [c for c in self._open if c.waits_for != "answer"]
            if idle:
                min(idle, key=self._since).drop()
            elif len(self._open) >= self._most + RESERVE:
                connection.drop()
                return False
        within = len(self._open) < self._most
        self._open[connection] = connection.progress, connection.loop.time()
        return within

    def discard(self, connection: "Connection") -> None:
        """Takes one out that is closed."""
        self._open.pop(connection, None)

    def look(self, now: float) -> None:
        """Ends connections that have waited for the same for too long.

        Args:
            now: the loop's time.
        """
        for connection in list(self._open):
            progress = connection.progress
            if progress != self._open[connection][0]:
                self._open[connection] = progress, now
            elif now - self._since(connection) > connection.patience:
                connection.give_up()

    def _since(self, connection):
        return self._open[connection][1]


class Connection(H11Protocol):
    """One connection, whose malformed requests are answered in JSON."""

    def __init__(self, owner: Connections, **options):
        super().__init__(**options)
        self._owner = owner

    @property
    def waits_for(self) -> str:
        """A "next" request, the rest of its "head", or its "answer"."""
        if self.cycle is None or self.cycle.response_complete:
            return "head" if self.conn.trailing_data[0] else "next"
        return "answer"

    @property
    def progress(self) -> tuple:
        """What changes with each step of a request."""
        return self.waits_for, id(self.cycle)

    @property
    def patience(self) -> float:
        """Seconds that it may wait for the same."""
        if self.waits_for == "answer":
            return float("inf")  # limited elsewhere, as is that of a body
        is_first = self.cycle is None
        if is_first or self.waits_for == "head":
            return self._owner.limits.header_s
        return self._owner.limits.idle_s

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        if not self._owner.add(self):
            self.app_state = {**self.app_state, "surplus": True}

    def connection_lost(self, exc) -> None:
        self._owner.discard(self)
        super().connection_lost(exc)

    def drop(self) -> None:
        """Ends the connection without a word."""
        self._owner.discard(self)
        self.transport.abort()

    def give_up(self) -> None:
        """Ends a connection that has waited too long."""
        if self.waits_for == "head":
            self._refuse(408, "the head of the request did not come in time")
        else:
            self.drop()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, and ends the connection."""
        self._refuse(400, msg)

    def _refuse(self, code, text):
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.drop()  # in the middle of an answer
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # nobody waits for its answer
            self.cycle.message_event.set()
        self._owner.metrics.requests.labels("rest", "malformed", code).inc()
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
    """Uvicorn on a socket, without handlers of signals of its own.

    Args:
        service: that answers.
        listener: a socket that is bound.
        most: connections that may be open, besides a few in reserve.
    """

    def __init__(self, service: Service, listener: socket.socket, most: int):
        settings = service.settings
        self._connections = Connections(settings.limits, most, service.metrics)
        super().__init__(
            uvicorn.Config(
                rest.make_app(service),
                http=self._connections,
                log_config=None,
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_keep_alive=settings.limits.idle_s,
                timeout_graceful_shutdown=settings.grace_s,
            )
        )
        self._listener = listener
        self._running = self._looking = None

    @contextlib.contextmanager
    def capture_signals(self):
        yield

    async def start(self) -> None:
        """Returns when it listens."""
        serving = self.serve(sockets=[self._listener])
        self._running = asyncio.ensure_future(serving)
        while not self.started:
            await asyncio.sleep(0.01)
        self._looking = asyncio.ensure_future(self._look())

    async def stop(self, grace: float) -> None:
        """Takes no new connection, and ends when requests in progress do.

        Args:
            grace: seconds until they are given up.
        """
        for server in self.servers:
            server.close()
        self.force_exit = grace == 0
        # Kept-alive connections: a request may be on its way, and its answer
        # says that it was the last.
        loop = asyncio.get_running_loop()
        end = loop.time() + min(grace, _LINGER_S)
        while self.server_state.connections and loop.time() < end:
            if self.force_exit:
                break
            await asyncio.sleep(0.05)
        self.should_exit = True
        await self._running
        self._looking.cancel()

    async def _look(self):
        while True:
            await asyncio.sleep(_LOOK_S)
            self._connections.look(asyncio.get_running_loop().time())
