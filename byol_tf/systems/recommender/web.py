"""HTTP routes of the recommender."""

import json
from collections.abc import Callable

from byol_tf.systems.common import desk
from byol_tf.systems.recommender.answers import Answers

RECOMMEND = "/v1/recommender:recommend"
RELOAD = "/v1/recommender:reload"
_BODY = (
    'the body must be {"user": "..."} or {"history": ["...", "..."]}, with '
    '"again": true for items that the user has'
)


class Desk(desk.Desk):
    """Answers from the shop's files as last read."""

    def recommend(self, body: bytes) -> desk.Reply:
        """Ranks items for a user or a history.

        Raises:
            ValueError: if the body is invalid.
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
            found = self.held.for_user(str(user), again)
        elif isinstance(history, list):
            found = self.held.for_history([*map(str, history)], again)
        else:
            raise ValueError(_BODY)
        items = [item._asdict() for item in found.listed]
        return desk.as_reply({"items": items, "notes": found.lines})

    def counts(self):
        shop = self.held.mix.past.shop
        return {"users": len(shop.users), "items": len(shop.items)}


def serve(load: Callable[[], Answers], settings, host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C; see `desk.serve`."""
    own = Desk(load)
    routes = {("POST", RECOMMEND): own.recommend, ("POST", RELOAD): own.reload}
    desk.serve(routes, settings, host, port)
