"""HTTP routes of a system, which can reload its files."""

import importlib.resources
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

Reply = tuple[str, str]  # body, and content type


def as_reply(value: Any) -> Reply:
    """Returns a value as a JSON reply."""
    return json.dumps(value), "application/json"


def page_of(package: str) -> Reply:
    """Returns the file `page.html` of a package."""
    file = importlib.resources.files(package) / "page.html"
    return file.read_text("utf-8"), "text/html; charset=utf-8"


class Desk:
    """Holds the object that answers requests.

    Args:
        load: makes it from the current files.
    """

    def __init__(self, load: Callable[[], Any]):
        self._load, self._lock = load, threading.Lock()
        self.responder = load()

    def counts(self) -> Mapping[str, int]:
        """Returns numbers that describe what is loaded."""
        raise NotImplementedError

    def reload(self, body: bytes) -> Reply:
        """Reads the files again; ignores the body."""
        with self._lock:
            self.responder = self._load()
        return as_reply(self.counts())


def serve(routes: Mapping, settings, host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        routes: functions of a request body, by method and path.
        settings: settings of the server, see `configs/serve.py`.
        host: address to listen on.
        port: port to listen on; 0: any free one.
    """
    from byol_tf.jobs.serve import build  # needs packages of an extra

    build.serve_routes(settings, routes, host, port)
