"""A small shop of the tests' own: tastes, seasons, and items with names."""

import csv
import pathlib

import numpy as np

THINGS = [
    "mug",
    "bowl",
    "lamp",
    "candle",
    "basket",
    "blanket",
    "clock",
    "frame",
    "vase",
    "tray",
]
LOOKS = [
    "red",
    "blue",
    "floral",
    "striped",
    "rustic",
    "modern",
    "glass",
    "wooden",
]
DAY = 86400
START = 18_500 * DAY  # no number of a day such as 20240501


def shop_rows(
    users: int = 60, each: int = 12, seed: int = 0
) -> tuple[list, list]:
    """Lines of `items.csv` and `interactions.csv`, the latter by time.

    A user likes two things and two looks; every item comes up for sale on
    some day, the last tenth of them late; nobody takes an item twice.
    """
    rng = np.random.default_rng(seed)
    items = [
        (f"{t[0]}{n}", f"{k} {t}") for t in THINGS for n, k in enumerate(LOOKS)
    ]
    items = [(f"{i:03}", text) for i, (_, text) in enumerate(items)]
    start = rng.integers(0, 100, len(items))
    start[rng.permutation(len(items))[: len(items) // 10]] = 330
    events = []
    for user in range(users):
        things = rng.choice(THINGS, 2, replace=False)
        looks = rng.choice(LOOKS, 2, replace=False)
        liking = [
            sum(word in text.split() for word in (*things, *looks))
            for _, text in items
        ]
        days = np.sort(rng.integers(0, 365, each))
        taken = np.zeros(len(items), bool)
        for day in days:
            chance = np.where(
                (start <= day) & ~taken, np.exp(2.0 * np.array(liking)), 0
            )
            if chance.sum():
                item = rng.choice(len(items), p=chance / chance.sum())
                taken[item] = True
                time = int(START + day * DAY + user)
                events.append((f"u{user}", items[item][0], time))
    return items, sorted(events, key=lambda event: event[2])


def write_shop(
    folder: pathlib.Path, items: list, events: list, columns: str = "timestamp"
) -> pathlib.Path:
    """Writes both files; `columns` are those after user and item."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "items": (("item", "text"), items),
        "interactions": (("user", "item", *columns.split()), events),
    }
    for name, (head, rows) in tables.items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    return folder
