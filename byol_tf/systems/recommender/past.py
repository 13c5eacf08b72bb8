"""Histories as sparse matrices, and the split of time into periods."""

import dataclasses
import functools

import numpy as np
from scipy import sparse

from byol_tf.data.interactions import Shop

DAY = 86400.0


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

    @property
    def now(self) -> float:
        """Time of the newest known event, in seconds since 1970."""
        return float(self.shop.time[self.until - 1])

    @functools.lru_cache(4)  # noqa: B019 as long-lived as its shop
    def matrix(self, half_life: float = 0.0) -> sparse.csr_matrix:
        """Returns histories, float32 `[users, items]`, each pair once.

        Args:
            half_life: days after which an event counts half; 0: no decay.
        """
        shop, known = self.shop, self._known
        # Quantities and ratings above 1 do not make a history stronger.
        weight = np.minimum(shop.weight[known], 1)
        if half_life:
            age = (self.now - shop.time[known]) / DAY
            weight = weight * np.float32(0.5 ** (age / half_life))
        return strongest(shop.user[known], shop.item[known], weight, self.shape)

    @functools.cached_property
    def confidence(self) -> sparse.csr_matrix:
        """Returns summed weights of the pairs in `matrix`: their confidence."""
        shop, known = self.shop, self._known
        pairs = shop.user[known], shop.item[known]
        return sparse.csr_matrix(
            (shop.weight[known], pairs), self.shape, np.float32
        )

    @functools.cached_property
    def _known(self):
        places = np.arange(self.until)
        if self.hidden is None:
            return places
        return places[~self.hidden[self.shop.item[: self.until]]]

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
    kept = order[first]
    return sparse.csr_matrix(
        (weight[kept], (user[kept], item[kept])), shape, np.float32
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
        wanted: bool-like `[n, items]`, the new items they took.
        cold: bool `[items]`, items that nobody had taken before.
    """

    past: Past
    users: np.ndarray
    wanted: sparse.csr_matrix
    cold: np.ndarray

    @classmethod
    def of(
        cls,
        shop: Shop,
        start: int,
        end: int,
        hidden: np.ndarray | None = None,
        most: int = 3000,
    ) -> "Period":
        """Makes a period: events `start` to `end`, predicted from those before.

        Args:
            hidden: see `Past`.
            most: largest number of users, evenly spaced.
        """
        past = Past(shop, start, hidden)
        seen = past.matrix()
        pairs = shop.user[start:end], shop.item[start:end]
        ones = np.ones(end - start, np.float32)
        new = strongest(*pairs, ones, past.shape)
        new = sparse.csr_matrix(new - new.multiply(seen > 0))
        new.eliminate_zeros()
        known = np.diff(seen.indptr) > 0
        users = np.flatnonzero(known & (np.diff(new.indptr) > 0))
        if len(users) > most:
            users = users[np.linspace(0, len(users) - 1, most).astype(int)]
        return cls(past, users, new[users], ~past.warm)

    def rows(self, half_life: float = 0.0) -> sparse.csr_matrix:
        """Returns histories of the users, see `Past.matrix`."""
        return self.past.matrix(half_life)[self.users]
