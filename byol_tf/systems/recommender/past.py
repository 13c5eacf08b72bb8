"""Histories as sparse matrices, and the split of time into periods."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy import sparse

from byol_tf.data.interactions import Shop
from byol_tf.data.rows import spread_rows

DAY = 86400.0
_MOST_USERS = 3000  # of a period, evenly spaced

# From a half-life in days to histories, float32 `[n, items]`.
Rows = Callable[[float], sparse.csr_matrix]


@dataclasses.dataclass(frozen=True, eq=False)
class Past:
    """The events of a shop before some moment.

    Attributes:
        shop: the whole shop.
        until: index of the first event that is not known yet.
        hidden: bool `[items]`, items whose events are not known either; None:
            none.
    """

    shop: Shop
    until: int
    hidden: np.ndarray | None = None

    @functools.lru_cache(4)  # noqa: B019 as long-lived as its shop
    def matrix(self, half_life: float = 0.0) -> sparse.csr_matrix:
        """Returns histories, float32 `[users, items]`, each pair once.

        Args:
            half_life: days after which an event counts half; 0: no decay.
        """
        user, item, time, weight = self._events
        # Quantities and ratings above 1 do not make a history stronger.
        weight = np.minimum(weight, 1)
        if half_life:
            age = (self.shop.time[self.until - 1] - time) / DAY
            weight = weight * np.float32(0.5 ** (age / half_life))
        return strongest(user, item, weight, self.shape)

    def rows(self, users: np.ndarray) -> Rows:
        """Returns the histories of users, given by their index in the shop."""
        return lambda half_life: self.matrix(half_life)[users]

    @functools.cached_property
    def confidence(self) -> sparse.csr_matrix:
        """Returns summed weights of the pairs in `matrix`: their confidence."""
        user, item, _, weight = self._events
        return sparse.csr_matrix((weight, (user, item)), self.shape, np.float32)

    @functools.cached_property
    def _events(self):
        """Returns users, items, times and weights of the known events."""
        events = [column[: self.until] for column in self.shop.events]
        if self.hidden is None:
            return events
        is_visible = ~self.hidden[events[1]]
        return [column[is_visible] for column in events]

    @functools.cached_property
    def warm(self) -> np.ndarray:
        """Returns whether anybody took an item, bool `[items]`."""
        return self.matrix().getnnz(axis=0) > 0

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.shop.users), len(self.shop.items)


def strongest(user, item, weight, shape) -> sparse.csr_matrix:
    """Makes a sparse matrix of pairs, each with its largest weight."""
    order = np.argsort(weight, kind="stable")[::-1]
    key = user[order].astype(np.int64) * shape[1] + item[order]
    _, first = np.unique(key, return_index=True)
    rows = order[first]
    return sparse.csr_matrix(
        (weight[rows], (user[rows], item[rows])), shape, np.float32
    )


def periods(shop: Shop, share: float) -> tuple[int, int]:
    """Splits time into training, held-out and test periods.

    Args:
        shop: the shop.
        share: share of all events, for each of the last two periods.

    Returns:
        Indices of the first events of the held-out and of the test period.
    """
    count = len(shop.time)
    places = [round(count * (1 - part * share)) for part in (2, 1)]
    first, second = (
        int(np.searchsorted(shop.time, shop.time[min(place, count - 1)]))
        for place in places
    )
    return first, second


@dataclasses.dataclass(frozen=True)
class Period:
    """Events to predict, and what to predict them from.

    Attributes:
        past: the known events.
        users: int `[n]`, users with a history who took something new.
        relevant: bool-like `[n, items]`, the new items they took.
    """

    past: Past
    users: np.ndarray
    relevant: sparse.csr_matrix

    @classmethod
    def of(
        cls, shop: Shop, start: int, end: int, hidden: np.ndarray | None = None
    ) -> "Period":
        """Makes a period: events `start` to `end`, predicted from those before.

        Args:
            hidden: see `Past`.
        """
        past = Past(shop, start, hidden)
        seen = past.matrix()
        pairs = shop.user[start:end], shop.item[start:end]
        new = strongest(*pairs, np.ones(end - start, np.float32), past.shape)
        new = sparse.csr_matrix(new - new.multiply(seen > 0))
        new.eliminate_zeros()
        has_history, has_new = (rows.getnnz(axis=1) > 0 for rows in (seen, new))
        users = np.flatnonzero(has_history & has_new)
        users = users[spread_rows(len(users), _MOST_USERS)]
        return cls(past, users, new[users])

    def rows(self, places: np.ndarray) -> Rows:
        """Returns the histories of some of `users`."""
        return self.past.rows(self.users[places])
