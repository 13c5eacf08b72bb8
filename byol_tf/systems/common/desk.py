"""A system as routes of the server, which takes new files as it runs."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

Reply = tuple[str, str]  # what is sent, and its kind


def as_reply(value: Any) -> Reply:
    """JSON of a value, as a route sends it."""
    return json.dumps(value), "application/json"


class Desk:
    """Holds what answers.

    Args:
        load: makes it of the files as they are now.
    """

    def __init__(self, load: Callable[[], Any]):
        self._load, self._lock = load, threading.Lock()
        self.held = load()

    def counts(self) -> Mapping[str, int]:
        """How much of what there is now."""
        raise NotImplementedError

    def reload(self, body: bytes) -> Reply:
        """Reads the files again; the body says nothing."""
        with self._lock:
            self.held = self._load()
        return as_reply(self.counts())


def serve(routes: Mapping, settings, host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        routes: from method and path to what answers a body.
        settings: of the server, see `configs/serve.py`.
        host: to listen on.
        port: to listen on; 0 is any free one.
    """
    from byol_tf.jobs.serve import build  # needs packages of an extra

    build.serve_routes(settings, routes, host, port)
