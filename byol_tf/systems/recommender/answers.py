"""Lists in words: for a user, for a history, or for everybody."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from byol_tf.checks import require
from byol_tf.data.interactions import clean_id
from byol_tf.files import whole_file
from byol_tf.lines import printable, some
from byol_tf.systems.recommender.mix import Item, Mix

_BLOCK = 256  # users at a time


class Found(NamedTuple):
    """A list, best item first, and what is to be said with it."""

    listed: list[Item]
    lines: list[str]


@dataclasses.dataclass(frozen=True)
class Answers:
    """Asks a mix.

    Attributes:
        mix: of the shop as it is.
        count: items of a list.
        again: whether what a user has may be in it.
    """

    mix: Mix
    count: int = 10
    again: bool = False

    def for_user(self, user: str, again: bool | None = None) -> Found:
        """Lists items for a user; what is popular for one who is unknown."""
        users = self.mix.past.shop.users
        try:
            place = users.index(clean_id(user))
        except ValueError:
            found = self.for_history((), again)
            line = (
                f"user {printable(user)} is not in the shop's events: this is "
                "what is popular now"
            )
            return Found(found.listed, [line])
        (found,) = self.of_users(np.array([place]), again)
        return Found(found, [])

    def for_history(
        self, items: Sequence[str], again: bool | None = None
    ) -> Found:
        """Lists items for somebody who took these; unknown ones are named."""
        shop = self.mix.past.shop
        places = {item: place for place, item in enumerate(shop.items)}
        names = [clean_id(item) for item in items]
        known = sorted({places[name] for name in names if name in places})
        unknown = [name for name in names if name not in places]
        row = sparse.csr_matrix(
            (np.ones(len(known), np.float32), ([0] * len(known), known)),
            (1, len(shop.items)),
        )
        lines = [f"not in the shop: {some(unknown)}"] if unknown else []
        (found,) = self._lists(lambda half_life: row, again)
        return Found(found, lines)

    def of_users(self, users: np.ndarray, again: bool | None = None):
        """Lists of items for users by their place in the shop."""
        matrix = self.mix.past.matrix
        return self._lists(lambda half_life: matrix(half_life)[users], again)

    def _lists(self, rows, again):
        again = self.again if again is None else again
        return self.mix.lists(rows, self.count, again)


def as_line(item: Item) -> str:
    """An item for the terminal: "0042  red mug: since you took blue mug"."""
    because = " and ".join(map(printable, item.because))
    why = f"since you took {because}" if because else "popular now"
    return f"{printable(item.item)}  {printable(item.text)}: {why}"


def write_lists(answers: Answers, path: pathlib.Path) -> int:
    """Writes the lists of all users into a Parquet file, some at a time.

    Its columns are user, rank (from 1), item, score and because.

    Returns:
        How many users there are.
    """
    arrow = require("pyarrow", "search")
    parquet = require("pyarrow.parquet", "search")
    users = answers.mix.past.shop.users
    schema = arrow.schema(
        [
            ("user", arrow.string()),
            ("rank", arrow.int32()),
            ("item", arrow.string()),
            ("score", arrow.float32()),
            ("because", arrow.list_(arrow.string())),
        ]
    )
    with (
        whole_file(path) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
    ):
        for start in range(0, len(users), _BLOCK):
            some_users = np.arange(start, min(start + _BLOCK, len(users)))
            rows = [
                {
                    "user": users[user],
                    "rank": rank,
                    **item._asdict(),
                }
                for user, found in zip(
                    some_users, answers.of_users(some_users), strict=True
                )
                for rank, item in enumerate(found, 1)
            ]
            writer.write_table(arrow.Table.from_pylist(rows, schema))
    return len(users)
