"""HTTP routes of the assistant, and its web page."""

from collections.abc import Callable

from byol_tf.files import parse_json
from byol_tf.systems.common import desk
from byol_tf.systems.customer_service.assistant import Assistant, Words, as_json

ASK = "/v1/customer_service:ask"
RELOAD = "/v1/customer_service:reload"


class Desk(desk.Desk):
    """Answers from the answers file as last read.

    Args:
        load: returns the assistant with the current answers.
        words: templates of replies.
    """

    def __init__(self, load: Callable[[], Assistant], words: Words):
        super().__init__(load)
        self.words = words

    def ask(self, body: bytes) -> desk.Reply:
        """Answers `{"question": "..."}`.

        Raises:
            ValueError: if the body is invalid, or the question empty.
        """
        try:
            question = parse_json(body)["question"]
            is_valid = isinstance(question, str)
        except (ValueError, TypeError, KeyError):
            is_valid = False
        if not is_valid:
            raise ValueError('the body must be {"question": "..."}')
        return desk.as_reply(as_json(self.responder.ask(question, self.words)))

    def counts(self):
        answers = self.responder.answers
        return {"answers": len(answers.rows) if answers else 0}


def serve(
    load: Callable[[], Assistant], words: Words, settings, host: str, port: int
) -> None:
    """Serves until SIGTERM or Ctrl-C; see `Desk` and `desk.serve`."""
    handler = Desk(load, words)
    routes = {
        ("POST", ASK): handler.ask,
        ("POST", RELOAD): handler.reload,
        ("GET", "/"): lambda _: desk.page_of(__package__),
    }
    desk.serve(routes, settings, host, port)
