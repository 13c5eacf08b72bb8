"""Ranked lists with reasons, for a user, for a history, or for all users."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from byol_tf.checks import require
from byol_tf.data.interactions import clean_id
from byol_tf.files import whole_file
from byol_tf.lines import printable, some
from byol_tf.systems.recommender import judging
from byol_tf.systems.recommender.mix import Mix
from byol_tf.systems.recommender.past import Rows

_MIN_SIMILARITY = 0.02  # similarity below which an item is no reason
_NOTHING = (
    "every item of the shop is in this history; --config.again=True, or "
    '"again": true in a request, lists them again'
)


class Item(NamedTuple):
    """An item of a list.

    Attributes:
        item: its id.
        text: its text, "" for none.
        score: the score it is ranked by.
        because: names of similar items in the user's own history.
    """

    item: str
    text: str
    score: float
    because: tuple[str, ...]

    def __str__(self):
        """Returns a line such as "0042  red mug: since you took blue mug"."""
        because = " and ".join(map(printable, self.because))
        why = f"since you took {because}" if because else "popular now"
        return f"{printable(self.item)}  {printable(self.text)}: {why}"


@dataclasses.dataclass(frozen=True)
class Answers:
    """Makes lists with a mix of methods.

    Attributes:
        mix: the mix for the current shop.
        count: items per list.
        again: whether lists may hold items that the user already has.
    """

    mix: Mix
    count: int = 10
    again: bool = False

    def for_user(
        self, user: str, again: bool | None = None
    ) -> tuple[list[Item], list[str]]:
        """Ranks items for a user; popular items for an unknown user.

        Args:
            user: id of a user.
            again: whether the list may hold items that the user already has;
                None: as in the attribute.

        Returns:
            Items, best first, and notes about them.
        """
        past, user = self.mix.past, clean_id(user)
        if user not in past.shop.users:
            line = (
                f"user {printable(user)} is not in the shop's events: this is "
                "what is popular now"
            )
            return self.for_history((), again)[0], [line]
        place = past.shop.users.index(user)
        return self._single_list(past.rows(np.array([place])), again, [])

    def for_history(
        self, items: Sequence[str], again: bool | None = None
    ) -> tuple[list[Item], list[str]]:
        """Ranks items for a list of items; notes name unknown ones."""
        shop = self.mix.past.shop
        places = {item: place for place, item in enumerate(shop.items)}
        names = [clean_id(item) for item in items]
        row = np.zeros((1, len(places)), np.float32)
        row[0, [places[name] for name in names if name in places]] = 1
        row = sparse.csr_matrix(row)
        unknown = [name for name in names if name not in places]
        lines = [f"not in the shop: {some(unknown)}"] if unknown else []
        return self._single_list(lambda half_life: row, again, lines)

    def _single_list(self, rows, again, notes):
        (items,) = self.lists(rows, again)
        return items, notes if items else [*notes, _NOTHING]

    def lists(self, rows: Rows, again: bool | None = None) -> list[list[Item]]:
        """Ranks items for each history."""
        again = self.again if again is None else again
        histories, scores = rows(0.0), self.mix(rows)
        best = judging.top(scores, None if again else histories, self.count)
        return [
            self._items(
                history, places[np.isfinite(item_scores[places])], item_scores
            )
            for history, places, item_scores in zip(
                np.split(histories.indices, histories.indptr[1:-1]),
                *(best, scores),
                strict=True,
            )
        ]

    def _items(self, history, places, scores):
        """Returns items, each with the two most similar ones of the history."""
        shop = self.mix.past.shop
        similarities = sum(
            (vectors[places] @ vectors[history].T).toarray()
            for vectors in (self._item_users, self.mix.vectors)
        )
        # The item itself is no reason.
        similarities[np.equal.outer(places, history)] = 0
        items = []
        for place, near in zip(places, similarities, strict=True):
            reasons = np.argsort(-near, kind="stable")[:2]
            because = tuple(
                shop.texts[n] or shop.items[n]
                for n in history[reasons[near[reasons] > _MIN_SIMILARITY]]
            )
            score = float(scores[place])
            text = shop.texts[place]
            items.append(Item(shop.items[place], text, score, because))
        return items

    @functools.cached_property
    def _item_users(self):
        """Returns the users of each item: unit rows `[items, users]`."""
        return normalize(self.mix.past.matrix().T.tocsr())


def write_lists(answers: Answers, path: pathlib.Path) -> int:
    """Writes the lists of all users to a Parquet file, block by block.

    The columns are user, rank (from 1), item, score and because.

    Returns:
        The number of users.
    """
    arrow = require("pyarrow", "search")
    parquet = require("pyarrow.parquet", "search")
    past = answers.mix.past
    users = past.shop.users
    names = "user", "rank", "item", "score", "because"
    types = "string", "int32", "string", "float32", arrow.list_(arrow.string())
    schema = arrow.schema([*zip(names, types, strict=True)])
    with (
        whole_file(path) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
    ):
        for block in judging.blocks(len(users)):
            lists = answers.lists(past.rows(block))
            rows = [
                {"user": users[user], "rank": rank, **item._asdict()}
                for user, items in zip(block, lists, strict=True)
                for rank, item in enumerate(items, 1)
            ]
            writer.write_table(arrow.Table.from_pylist(rows, schema))
    return len(users)
