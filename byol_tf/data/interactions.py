"""Reads a shop: `items.csv` and `interactions.csv` of a folder.

Nothing is left out silently: unusual lines are counted, and `Shop.lines` says
how they were treated.
"""

import array
import csv
import dataclasses
import functools
import math
import pathlib
import time as clock
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from byol_tf.data import times
from byol_tf.lines import nfc, printable, some

ITEMS, EVENTS = "items.csv", "interactions.csv"
# Weight of an event by its kind; other kinds count like a purchase.
KINDS = {"view": 0.2, "click": 0.3, "comment": 0.7, "purchase": 1.0}
_LARGE = 0.5  # share of all events above which a user is reported
_MISSING, _RETURNED = "missing", "returned"


@dataclasses.dataclass(frozen=True)
class Shop:
    """Items, users, and events sorted by time.

    Attributes:
        items: ids; those of `items.csv` come first.
        texts: texts of the items, "" for none.
        users: ids.
        user, item: int32 `[events]`, indices into `users` and `items`.
        time: float64 `[events]`, seconds since 1970.
        weight: float32 `[events]`, above 0: importance of an event.
        lines: sentences about unusual data.
        kind: int8 `[events]`, index of an event's kind in `kinds`.
        kinds: weights that are included in `weight`, by kind.
    """

    items: Sequence[str]
    texts: Sequence[str]
    users: Sequence[str]
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    weight: np.ndarray
    lines: Sequence[str]
    kind: np.ndarray | None = None
    kinds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def weighted(self, kinds: Mapping[str, float]) -> "Shop":
        """Returns the same shop with other weights of the kinds, above 0."""
        ratio = [kinds[name] / old for name, old in self.kinds.items()]
        weight = self.weight * np.float32(ratio)[self.kind]
        return dataclasses.replace(self, weight=weight, kinds=kinds)

    @property
    def events(self) -> tuple[np.ndarray, ...]:
        """Returns users, items, times and weights."""
        return self.user, self.item, self.time, self.weight


def read_shop(
    folder: str,
    known: Sequence[str] = (),
    kinds: Mapping[str, float] = KINDS,
) -> Shop:
    """Reads the two files of a folder.

    Args:
        folder: folder with `items.csv` (item,text and more columns, whose words
            are added to the text) and `interactions.csv` (user,item and
            optionally timestamp, quantity, rating, event).
        known: ids that come first in `items`, in this order.
        kinds: weights of the kinds in the column `event`.

    Raises:
        ValueError: if a file or a column is missing, or there are no events.
    """
    texts = dict.fromkeys(known, "")
    lines = _read_items(pathlib.Path(folder) / ITEMS, texts)
    named = len(texts)
    places = {item: place for place, item in enumerate(texts)}
    events = _Events(pathlib.Path(folder) / EVENTS, places, kinds)
    without = sum(not text for text in list(texts.values())[:named])
    lines += _counted(
        (without, "items have no text: only what users did speaks for them"),
        (
            len(places) - named,
            f"items of {EVENTS} are not in {ITEMS}: they are kept, without "
            f"text ({some(list(places)[named:])})",
        ),
    )
    texts |= dict.fromkeys(list(places)[named:], "")
    return events.shop(list(texts), list(texts.values()), lines)


def _counted(*pairs) -> list[str]:
    """Returns sentences about what occurred at all."""
    return [f"{count:,} {line}" for count, line in pairs if count]


def _read_items(path, texts) -> list[str]:
    """Adds ids and texts to a dictionary; returns notes on unusual lines."""
    repeated, seen = 0, set()
    for row in _rows(path, ("item", "text")):
        item = clean_id(row.pop("item"))
        words = [cell.strip() for cell in row.values() if cell and cell.strip()]
        repeated += item in seen
        if item and item not in seen:
            texts[item] = " ".join(words)
            seen.add(item)
    return _counted(
        (repeated, f"lines of {ITEMS} repeat an item: the first one counts")
    )


def _rows(path, wanted) -> Iterator[dict[str, str]]:
    """Yields cells by column, for the lines of a UTF-8 CSV file."""
    if not path.is_file():
        raise ValueError(
            f"{printable(path)} is missing; it must have the columns "
            f"{', '.join(wanted)}"
        )
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            _check_columns(path, names, wanted)
            for row in reader:
                if row:
                    yield dict(zip(names, row, strict=False))
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{printable(path)} is not UTF-8, after line "
                f"{reader.line_num}; save it as UTF-8"
            ) from error


def _check_columns(path, names, wanted):
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(
            f"{printable(path)} has no column {', '.join(missing)}. Its first "
            f"line names: {some(names, 10) or 'nothing'}"
        )


def clean_id(cell: str | None) -> str:
    """Returns the id in a cell, in a form to compare."""
    return nfc((cell or "").strip())


class _Events:
    """The lines of `interactions.csv`, as numbers."""

    def __init__(self, path, places, kinds):
        self.path, self.places, self.kinds = path, places, kinds
        self.users: dict[str, int] = {}
        self.columns = [array.array(code) for code in "iidfb"]
        self.met: dict[str, int] = {}
        self.bad = dict.fromkeys(
            ("unnamed", "time", "quantity", _MISSING, _RETURNED, "kind"), 0
        )
        self.timed = False
        for row in _rows(path, ("user", "item")):
            self._add(row)
        if not self.users:
            raise ValueError(f"{printable(path)} has no events")

    def _add(self, row):
        user, item = clean_id(row.get("user")), clean_id(row.get("item"))
        if not user or not item:
            self.bad["unnamed"] += 1
            return
        weight = self._weight(row)
        if weight <= 0:
            return
        numbers = (
            self.users.setdefault(user, len(self.users)),
            self.places.setdefault(item, len(self.places)),
            self._time(row),
            weight,
            self.met.setdefault(self._kind(row), len(self.met)),
        )
        for column, number in zip(self.columns, numbers, strict=True):
            column.append(number)

    def _weight(self, row):
        """Returns the weight of a line; 0 leaves it out."""
        weight = 1.0
        if "quantity" in row:
            quantity = _number(row["quantity"])
            if math.isnan(quantity):
                self.bad[_MISSING] += 1
            elif quantity <= 0:
                self.bad[_RETURNED] += 1
                return 0.0
            else:
                weight = math.log2(1 + quantity)
        if "rating" in row:
            rating = _number(row["rating"])
            weight *= 1.0 if math.isnan(rating) else max(rating, 0.1)
        kind = self._kind(row)
        self.bad["kind"] += bool(kind) and kind not in self.kinds
        return weight * self.kinds.get(kind, 1.0)

    def _kind(self, row):
        return row.get("event", "").strip().lower()

    def _time(self, row):
        if "timestamp" not in row:
            return math.nan
        seconds = _seconds(row["timestamp"].strip())
        self.bad["time"] += math.isnan(seconds)
        self.timed = self.timed or not math.isnan(seconds)
        return seconds

    def shop(self, items, texts, lines) -> Shop:
        user, item, time, weight, kind = map(np.asarray, self.columns)
        lines = [*lines, *self._lines()]
        time = self._dated(time, lines)
        order = np.lexsort((item, user, time))
        user, item, time, weight, kind = (
            column[order] for column in (user, item, time, weight, kind)
        )
        new = np.ones(len(time), bool)
        new[1:] = (np.diff(user) | np.diff(item)) != 0
        new[1:] |= np.diff(time) != 0
        lines += _counted(
            ((~new).sum(), "events repeat another: they count once")
        )
        events = (user[new], item[new], time[new], weight[new])
        users = list(self.users)
        lines += _largest(users, events[0])
        kinds = {name: self.kinds.get(name, 1.0) for name in self.met}
        return Shop(
            *(items, texts, users, *events, tuple(lines), kind[new], kinds)
        )

    def _lines(self):
        bad = self.bad
        return _counted(
            (bad["unnamed"], "lines name no user or no item: left out"),
            (bad["time"], "times cannot be read: such events count as oldest"),
            (bad[_MISSING], "quantities are missing: they count as 1"),
            (
                bad[_RETURNED],
                "quantities are 0 or below, as of goods sent back: such "
                "events say nothing of taste and are left out",
            ),
            (
                bad["kind"],
                "events are of a kind without a weight: they count as 1",
            ),
        )

    def _dated(self, time, lines):
        """Returns times without gaps, none of them in the future."""
        good = ~np.isnan(time)
        if len(np.unique(time[good])) < 3:
            lines.append(
                f"{EVENTS} has no times to tell events apart: the order of "
                "its lines counts as time, a minute each"
            )
            return np.arange(len(time)) * 60.0
        future = time > clock.time() + 86400
        lines += _counted(
            (
                future.sum(),
                "events lie in the future: they count as the newest of now",
            )
        )
        now = time[good & ~future].max(initial=-np.inf)
        time = np.where(future & np.isfinite(now), now, time)
        return np.where(good, time, time[good].min())


def _largest(users, user):
    counts = np.bincount(user)
    place = int(counts.argmax())
    share = counts[place] / len(user)
    if share < _LARGE or len(counts) < 3:
        return []
    return [
        f"user {printable(users[place])} has {share:.0%} of all events; an "
        "item counts once in a history, so that nobody outvotes the others"
    ]


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


@functools.lru_cache(4096)
def _seconds(text: str) -> float:
    """Returns seconds since 1970 of a number (s, ms, µs) or a date, or NaN."""
    seconds = _number(text)
    if math.isfinite(seconds):
        while abs(seconds) > 1e11:  # year 5138, so milliseconds or finer
            seconds /= 1000
        return seconds
    try:
        return times.of_iso(text)
    except ValueError:
        return math.nan
