"""The assistant as routes of the server, and its page."""

import dataclasses
import importlib.resources
import json
import threading
from collections.abc import Callable

from byol_tf.systems.customer_service.assistant import Assistant, Words, as_json

ASK = "/v1/customer_service:ask"
RELOAD = "/v1/customer_service:reload"


@dataclasses.dataclass
class Desk:
    """Holds the assistant, and takes new answers without a new start.

    Attributes:
        load: gives the assistant with the answers there are now.
        words: of replies.
    """

    load: Callable[[], Assistant]
    words: Words

    def __post_init__(self):
        self._lock = threading.Lock()
        self._assistant = self.load()

    def ask(self, body: bytes) -> tuple[str, str]:
        """Answers `{"question": "..."}`.

        Raises:
            ValueError: the body is another, or the question empty.
        """
        try:
            question = json.loads(body)["question"]
            found = isinstance(question, str)
        except (ValueError, TypeError, KeyError):
            found = False
        if not found:
            raise ValueError('the body must be {"question": "..."}')
        reply = self._assistant.ask(question, self.words)
        return json.dumps(as_json(reply)), "application/json"

    def reload(self, body: bytes) -> tuple[str, str]:
        """Reads the file of answers again; the body says nothing."""
        with self._lock:
            self._assistant = self.load()
        answers = self._assistant.answers
        count = len(answers.rows) if answers else 0
        return json.dumps({"answers": count}), "application/json"

    def page(self, body: bytes) -> tuple[str, str]:
        """The page."""
        file = importlib.resources.files(__package__) / "page.html"
        return file.read_text("utf-8"), "text/html; charset=utf-8"


def serve(
    load: Callable[[], Assistant], words: Words, settings, host: str, port: int
) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        load: gives the assistant with the answers there are now.
        words: of replies.
        settings: of the server, see `configs/serve.py`.
        host: to listen on.
        port: to listen on; 0 is any free one.
    """
    from byol_tf.jobs.serve import build

    desk = Desk(load, words)
    routes = {
        ("POST", ASK): desk.ask,
        ("POST", RELOAD): desk.reload,
        ("GET", "/"): desk.page,
    }
    build.serve_routes(settings, routes, host, port)
