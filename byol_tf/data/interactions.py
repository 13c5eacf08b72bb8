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

from byol_tf.checks import check_positive
from byol_tf.data import times
from byol_tf.lines import nfc, number_of, printable, some

ITEMS, EVENTS = "items.csv", "interactions.csv"
# Weight of an event by its kind; other kinds count like a purchase.
KINDS = {"view": 0.2, "click": 0.3, "comment": 0.7, "purchase": 1.0}
_MAX_WEIGHT = 1e6  # weight of an event
_LARGE_SHARE = 0.5  # share of all events above which a user is reported
# What may be odd about a line of events, and what becomes of it.
_ODD_LINES = {
    "unnamed": "lines name no user or no item: left out",
    "long": "lines have more cells than the first one: the rest is left out; "
    "quote names with commas",
    "time": "times cannot be read: such events count as oldest",
    "quantity": "quantities are missing: they count as 1",
    "returned": "quantities are 0 or below, as of goods sent back: such "
    "events say nothing of taste and are left out",
    "rating": "ratings are missing: they count as 1",
    "kind": "events are of a kind without a weight: they count as 1",
}


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
        kind: int32 `[events]`, index of an event's kind in `kinds`.
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


def read_shop(folder: str, kinds: Mapping[str, float] = KINDS) -> Shop:
    """Reads the two files of a folder.

    Args:
        folder: folder with `items.csv` (item,text and more columns, whose words
            are added to the text) and `interactions.csv` (user,item and
            optionally timestamp, quantity, rating, event).
        kinds: weights of the kinds in the column `event`.

    Raises:
        ValueError: if a file or a column is missing, a line cannot be read, a
            weight is not above 0, or there are no events.
    """
    for kind, weight in kinds.items():
        check_positive(f"events.{kind}", weight, 1e6)
    texts, lines = _read_items(pathlib.Path(folder) / ITEMS)
    num_listed = len(texts)
    item_index = {item: index for index, item in enumerate(texts)}
    events = _Events(pathlib.Path(folder) / EVENTS, item_index, kinds)
    num_textless = sum(not text for text in texts.values())
    lines += _count_lines(
        (
            num_textless,
            "items have no text: only what users did speaks for them",
        ),
        (
            len(item_index) - num_listed,
            f"items of {EVENTS} are not in {ITEMS}: they are kept, without "
            f"text ({some(list(item_index)[num_listed:])})",
        ),
    )
    texts |= dict.fromkeys(list(item_index)[num_listed:], "")
    return events.shop(list(texts), list(texts.values()), lines)


def _count_lines(*pairs) -> list[str]:
    """Returns sentences about what occurred at all."""
    return [f"{count:,} {line}" for count, line in pairs if count]


def _read_items(path):
    """Returns texts by id, and notes on unusual lines."""
    repeated, unnamed, texts = 0, 0, {}
    for row in _rows(path, ("item", "text")):
        item = clean_id(row.pop("item"))
        words = [cell.strip() for cell in row.values() if cell.strip()]
        repeated, unnamed = repeated + (item in texts), unnamed + (not item)
        if item:
            texts.setdefault(item, " ".join(words))
    return texts, _count_lines(
        (repeated, f"lines of {ITEMS} repeat an item: the first one counts"),
        (unnamed, f"lines of {ITEMS} name no item: left out"),
    )


def _rows(path, required) -> Iterator[dict[str, str]]:
    """Yields cells by column, for the lines of a UTF-8 CSV file.

    Missing cells are "", and what is beyond the columns is in column "".
    """
    if not path.is_file():
        raise ValueError(
            f"{printable(path)} is missing; it must have the columns "
            f"{', '.join(required)}"
        )
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            _check_columns(path, names, required)
            count = len(names)
            for row in reader:
                cells = dict(zip(names, row, strict=False))
                if len(row) < count:
                    cells |= dict.fromkeys(names[len(row) :], "")
                cells.pop("", None)  # the index that pandas writes
                if len(row) > count:
                    cells[""] = " ".join(row[count:])
                if row:
                    yield cells
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{printable(path)} is not UTF-8, after line "
                f"{reader.line_num}; save it as UTF-8"
            ) from error
        except csv.Error as error:
            raise ValueError(
                f"{printable(path)}, line {reader.line_num}: {error}; quotes "
                'around a cell must be closed, and those inside doubled ("")'
            ) from error


def _check_columns(path, names, required):
    missing = [name for name in required if name not in names]
    if missing:
        raise ValueError(
            f"{printable(path)} has no column {', '.join(missing)}. Its first "
            f"line names: {some(names, 10) or 'nothing'}"
        )


def clean_id(cell: str) -> str:
    """Returns the id in a cell, in a form to compare."""
    return nfc(cell.strip())


class _Events:
    """The lines of `interactions.csv`, as numbers."""

    def __init__(self, path, item_index, kinds):
        self.path, self.item_index, self.kinds = path, item_index, kinds
        self.users: dict[str, int] = {}
        self.columns = [array.array(code) for code in "iidfi"]
        self.kind_index: dict[str, int] = {}
        self.odd_counts = dict.fromkeys(_ODD_LINES, 0)
        for row in _rows(path, ("user", "item")):
            self._add(row)
        if not self.users:
            why = "".join(f"; {line}" for line in self._lines())
            raise ValueError(f"{printable(path)} has no events{why}")

    def _add(self, row):
        user, item = clean_id(row["user"]), clean_id(row["item"])
        self.odd_counts["long"] += "" in row
        if not user or not item:
            self.odd_counts["unnamed"] += 1
            return
        kind = row.get("event", "").strip().lower()
        weight = self._weight(row, kind)
        if weight <= 0:
            return
        values = (
            self.users.setdefault(user, len(self.users)),
            self.item_index.setdefault(item, len(self.item_index)),
            self._time(row),
            weight,
            self.kind_index.setdefault(kind, len(self.kind_index)),
        )
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)

    def _weight(self, row, kind):
        """Returns the weight of a line; 0 leaves it out."""
        weight = 1.0
        if "quantity" in row:
            quantity = _number(row["quantity"])
            if math.isnan(quantity):
                self.odd_counts["quantity"] += 1
            elif quantity <= 0:
                self.odd_counts["returned"] += 1
                return 0.0
            else:
                weight = math.log2(1 + quantity)
        if "rating" in row:
            rating = _number(row["rating"])
            self.odd_counts["rating"] += math.isnan(rating)
            weight *= 1.0 if math.isnan(rating) else max(rating, 0.1)
        self.odd_counts["kind"] += kind != "" and kind not in self.kinds
        return min(weight * self.kinds.get(kind, 1.0), _MAX_WEIGHT)

    def _time(self, row):
        if "timestamp" not in row:
            return math.nan
        seconds = _seconds(row["timestamp"].strip())
        self.odd_counts["time"] += math.isnan(seconds)
        return seconds

    def shop(self, items, texts, lines) -> Shop:
        user, item, time, weight, kind = map(np.asarray, self.columns)
        lines = [*lines, *self._lines()]
        time = self._fill_times(time, lines)
        order = np.lexsort((kind, item, user, time))
        columns = [c[order] for c in (user, item, time, weight, kind)]
        is_new = np.zeros(len(time), bool)
        is_new[:1] = True
        for column in (*columns[:3], columns[4]):
            is_new[1:] |= np.diff(column) != 0
        lines += _count_lines(
            ((~is_new).sum(), "events repeat another: they count once")
        )
        *events, kind = (column[is_new] for column in columns)
        users = list(self.users)
        lines += _largest_user_lines(users, events[0])
        kinds = {name: self.kinds.get(name, 1.0) for name in self.kind_index}
        return Shop(items, texts, users, *events, tuple(lines), kind, kinds)

    def _lines(self):
        return _count_lines(
            *(
                (self.odd_counts[name], line)
                for name, line in _ODD_LINES.items()
            )
        )

    def _fill_times(self, time, lines):
        """Returns times without gaps, none of them in the future."""
        is_dated = ~np.isnan(time)
        if len(np.unique(time[is_dated])) < 3:
            lines.append(
                f"{EVENTS} has no times to tell events apart: the order of "
                "its lines counts as time, a minute each"
            )
            return np.arange(len(time)) * 60.0
        future = time > clock.time() + 86400
        latest = time[is_dated & ~future].max(initial=-np.inf)
        if future.any() and np.isfinite(latest):
            time = np.where(future, latest, time)
            lines.append(
                f"{future.sum():,} events lie in the future: they count as of "
                "the newest time that does not"
            )
        return np.where(is_dated, time, time[is_dated].min())


def _largest_user_lines(users, user):
    counts = np.bincount(user)
    largest = int(counts.argmax())
    share = counts[largest] / len(user)
    if share < _LARGE_SHARE or len(counts) < 3:
        return []
    return [
        f"user {printable(users[largest])} has {share:.0%} of all events; an "
        "item counts once in a history, so that nobody outvotes the others"
    ]


def _number(text):
    """Returns a finite number, or NaN."""
    number = number_of(text)
    return number if math.isfinite(number) else math.nan


@functools.lru_cache(4096)
def _seconds(text: str) -> float:
    """Returns seconds since 1970, or NaN."""
    try:
        return times.of_text(text)
    except ValueError:
        return math.nan
