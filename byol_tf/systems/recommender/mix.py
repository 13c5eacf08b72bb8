"""Lists for histories: a fitted mix of methods, with reasons."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from byol_tf.systems.recommender import judging, mixing, texts
from byol_tf.systems.recommender.methods import (
    POPULARITY,
    TEXTS,
    Method,
    unit_rows,
)
from byol_tf.systems.recommender.past import Past

_LITTLE = 1e-3  # weight of popularity at least, to break ties
_LEAST = 0.02  # similarity below which an item is no reason

# From a half-life in days to histories [n, items].
Rows = Callable[[float], sparse.csr_matrix]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Settings learned on held-out periods, as JSON values.

    Attributes:
        settings: by method.
        weights: weights of the methods' standardised scores.
        near: number of similar items used for an item that nobody has taken.
        share: weight of the text's own score for such an item.
        texts: run folder of the text encoder; "": none.
        events: weights of the kinds of events.
    """

    settings: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, float]
    near: int = 5
    share: float = 0.3
    texts: str = ""
    events: Mapping[str, float] = dataclasses.field(default_factory=dict)


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


class Mix:
    """Scores all items of a shop for histories.

    Args:
        past: the known events.
        vectors: unit vectors of the items' texts, `[items, d]`.
        methods: by name, popularity and texts among them.
        plan: settings and weights.
        states: states of methods already fitted on `past`; others are fitted
            now.
    """

    def __init__(
        self,
        past: Past,
        vectors: sparse.csr_matrix,
        methods: Mapping[str, Method],
        plan: Plan,
        states: Mapping[str, Any] | None = None,
    ):
        self.past, self.vectors, self.plan = past, vectors, plan
        self.methods = {
            name: methods[name]
            for name, weight in plan.weights.items()
            if weight or name in (POPULARITY, TEXTS)
        }
        states = dict(states or {})
        self.states = {
            name: states[name]
            if name in states
            else method.fit(past, **plan.settings[name])
            for name, method in self.methods.items()
        }

    def scores(self, rows: Rows) -> np.ndarray:
        """Scores items, float32 `[n, items]`; cold items by their texts."""
        return self.carried(*self.parts(rows))

    def parts(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Returns the weighted sum of all scores, and scores by texts alone."""
        parts = {}
        for name, method in self.methods.items():
            setting = self.plan.settings[name]
            histories = rows(setting.get("half_life", 0.0))
            found = method.score(self.states[name], histories, **setting)
            parts[name] = mixing.standard(np.float32(found), self.past.warm)
        weights = dict(self.plan.weights)
        weights[POPULARITY] = weights[POPULARITY] or _LITTLE
        return mixing.weighted(parts, weights), parts[TEXTS]

    def carried(self, mixed: np.ndarray, by_text: np.ndarray) -> np.ndarray:
        """Fills in scores of cold items from similar items."""
        warm = self.past.warm
        return mixed @ self._imputed + self.plan.share * by_text * ~warm

    @functools.cached_property
    def _imputed(self):
        return texts.imputed(self.vectors, self.past.warm, self.plan.near)

    @functools.cached_property
    def _columns(self):
        """Returns the users of each item: unit rows `[items, users]`."""
        return unit_rows(self.past.matrix().T.tocsr())

    def lists(
        self, rows: Rows, count: int = judging.SHOWN, again: bool = False
    ) -> list[list[Item]]:
        """Ranks items for each history.

        Args:
            rows: histories.
            count: items per list.
            again: whether items of the history itself may be listed.
        """
        plain, scores = rows(0.0), self.scores(rows)
        best = judging.top(scores, None if again else plain, count)
        found = []
        for number, places in enumerate(best):
            places = [p for p in places if np.isfinite(scores[number, p])]
            reasons = self._reasons(plain[number].indices, places)
            found.append(
                [
                    self._item(place, scores[number, place], because)
                    for place, because in zip(places, reasons, strict=True)
                ]
            )
        return found

    def _item(self, place, score, because):
        shop = self.past.shop
        names = tuple(shop.texts[own] or shop.items[own] for own in because)
        return Item(shop.items[place], shop.texts[place], float(score), names)

    def _reasons(self, own, places) -> Sequence[tuple[int, ...]]:
        """Finds for each item the two most similar items of the history."""
        if not len(own) or not len(places):
            return [()] * len(places)
        alike = sum(
            (vectors[places] @ vectors[own].T).toarray()
            for vectors in (self._columns, self.vectors)
        )
        alike[np.equal.outer(places, own)] = 0  # the item itself is no reason
        best = np.argsort(-alike, axis=1, kind="stable")[:, :2]
        return [
            tuple(int(own[n]) for n in row if values[n] > _LEAST)
            for row, values in zip(best, alike, strict=True)
        ]
