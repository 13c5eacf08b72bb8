"""HTTP routes of the recommender."""

from collections.abc import Callable

from byol_tf.files import parse_json
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
            request = parse_json(body)
            user, history, again = map(
                request.get, ("user", "history", "again")
            )
        except (ValueError, AttributeError) as error:
            raise ValueError(_BODY) from error
        has_history = isinstance(history, list) and user is None
        has_user = user is not None and history is None
        if again not in (None, True, False) or not (has_history or has_user):
            raise ValueError(_BODY)
        if has_user:
            items, notes = self.responder.for_user(str(user), again)
        else:
            items, notes = self.responder.for_history(
                [*map(str, history)], again
            )
        items = [item._asdict() for item in items]
        return desk.as_reply({"items": items, "notes": notes})

    def counts(self):
        shop = self.responder.mix.past.shop
        return {"users": len(shop.users), "items": len(shop.items)}


def serve(load: Callable[[], Answers], settings, host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C; see `desk.serve`."""
    handler = Desk(load)
    routes = {
        ("POST", RECOMMEND): handler.recommend,
        ("POST", RELOAD): handler.reload,
    }
    desk.serve(routes, settings, host, port)
