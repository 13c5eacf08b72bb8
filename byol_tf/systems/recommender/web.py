"""The recommender as routes of the server."""

import json
import threading
from collections.abc import Callable

from byol_tf.systems.recommender.answers import Answers

RECOMMEND = "/v1/recommender:recommend"
RELOAD = "/v1/recommender:reload"
_BODY = (
    'the body must be {"user": "..."} or {"history": ["...", "..."]}, with '
    '"again": true for items that the user has'
)


class Desk:
    """Holds the recommender, and takes new events without a new start.

    Args:
        load: gives it with the shop's files as they are now.
    """

    def __init__(self, load: Callable[[], Answers]):
        self._load, self._lock = load, threading.Lock()
        self._answers = load()

    def recommend(self, body: bytes) -> tuple[str, str]:
        """Lists items for a user or a history.

        Raises:
            ValueError: the body is another.
        """
        try:
            asked = json.loads(body)
            user, history = asked.get("user"), asked.get("history")
            again = asked.get("again")
        except (ValueError, AttributeError) as error:
            raise ValueError(_BODY) from error
        if again not in (None, True, False) or (user is None) == (
            history is None
        ):
            raise ValueError(_BODY)
        if user is not None:
            found = self._answers.for_user(str(user), again)
        elif isinstance(history, list):
            found = self._answers.for_history([*map(str, history)], again)
        else:
            raise ValueError(_BODY)
        answer = {
            "items": [item._asdict() for item in found.listed],
            "notes": found.lines,
        }
        return json.dumps(answer), "application/json"

    def reload(self, body: bytes) -> tuple[str, str]:
        """Reads the shop's files again; the body says nothing."""
        with self._lock:
            self._answers = self._load()
        shop = self._answers.mix.past.shop
        counts = {"users": len(shop.users), "items": len(shop.items)}
        return json.dumps(counts), "application/json"


def serve(load: Callable[[], Answers], settings, host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        load: see `Desk`.
        settings: of the server, see `configs/serve.py`.
        host: to listen on.
        port: to listen on; 0 is any free one.
    """
    from byol_tf.jobs.serve import build  # needs packages of an extra

    desk = Desk(load)
    routes = {
        ("POST", RECOMMEND): desk.recommend,
        ("POST", RELOAD): desk.reload,
    }
    build.serve_routes(settings, routes, host, port)
