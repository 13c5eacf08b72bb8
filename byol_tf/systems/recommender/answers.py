"""Ranked lists for a user, for a history, or for all users."""

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

_BLOCK = 256  # users per block


class Found(NamedTuple):
    """A ranked list, best item first, and a note about it."""

    listed: list[Item]
    lines: list[str]


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

    def for_user(self, user: str, again: bool | None = None) -> Found:
        """Ranks items for a user; popular items for an unknown user."""
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
        """Ranks items for a list of items; names unknown ones."""
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
        """Ranks items for users, given by their index in the shop."""
        matrix = self.mix.past.matrix
        return self._lists(lambda half_life: matrix(half_life)[users], again)

    def _lists(self, rows, again):
        again = self.again if again is None else again
        return self.mix.lists(rows, self.count, again)


def as_line(item: Item) -> str:
    """Formats an item: "0042  red mug: since you took blue mug"."""
    because = " and ".join(map(printable, item.because))
    why = f"since you took {because}" if because else "popular now"
    return f"{printable(item.item)}  {printable(item.text)}: {why}"


def write_lists(answers: Answers, path: pathlib.Path) -> int:
    """Writes the lists of all users to a Parquet file, block by block.

    The columns are user, rank (from 1), item, score and because.

    Returns:
        The number of users.
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
