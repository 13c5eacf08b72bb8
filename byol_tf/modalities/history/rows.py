"""Reads rows of histories, from single files or from a shop with many users."""

import json
import math
import pathlib
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from byol_tf.data.examples import Examples, Unreadable
from byol_tf.data.interactions import EVENTS, clean_id, read_shop
from byol_tf.lines import printable

NAME = "history"  # word for a row
EXTENSIONS = (".history",)
NONE = -1  # key where there is no event
SPLITS = ("train", "all")
_MAX_INT32 = 2**31 - 1


def key_of(item: str) -> int:
    """Returns the key of an item's id: its CRC-32 without the highest bit.

    It is the same in every shop and language. Two of 10,000 items share a key
    with a probability of 2 %, and then count as one.
    """
    return zlib.crc32(clean_id(item).encode()) & _MAX_INT32


def row_of(keys, times, weights, length: int) -> np.ndarray:
    """Makes a row: the newest items, newest first, each once.

    Args:
        keys, times, weights: values per event; times in seconds since 1970.
        length: events per row.

    Returns:
        int32 `[length, 3]`: key, minutes since 1970, weight in thousandths.
    """
    columns = np.stack(
        [
            np.asarray(keys, np.float64),
            np.asarray(times, np.float64) // 60,
            np.asarray(weights, np.float64) * 1000,
        ],
        axis=1,
    )
    columns = columns[np.argsort(-np.float64(times), kind="stable")]
    _, first = np.unique(columns[:, 0], return_index=True)
    columns = columns[np.sort(first)][:length]
    row = np.zeros((length, 3), np.int32)
    row[:, 0] = NONE
    row[: len(columns)] = np.clip(columns.round(), -_MAX_INT32, _MAX_INT32)
    return row


class Reading:
    """Reads the path or bytes of a JSON file with items, times and weights.

    For example `{"items": ["a", "b"], "times": [1322697600, 1322784000]}`.
    Times are seconds since 1970. Times and weights are optional.
    """

    def __init__(self, length: int):
        self.length = length

    def __call__(self, data) -> np.ndarray:
        try:
            if not isinstance(data, bytes):
                data = pathlib.Path(data).read_bytes()
            about = json.loads(data)
            if not isinstance(about["items"], list):
                raise TypeError  # a word would be a list of its letters
            items = [str(item) for item in about["items"]]
            times = about.get("times", range(len(items)))
            weights = about.get("weights", [1] * len(items))
            values = [[float(n) for n in each] for each in (times, weights)]
        except OSError as error:
            raise Unreadable(error.strerror or "no such file") from error
        except Exception as error:  # a damaged file can raise anything
            raise Unreadable(
                "no JSON object with a list `items`, and of numbers `times` "
                "and `weights` where there are such"
            ) from error
        if not items or any(len(each) != len(items) for each in values):
            raise Unreadable("no items, or lists of several lengths")
        if not all(map(math.isfinite, (*values[0], *values[1]))):
            raise Unreadable("times or weights that are no numbers")
        return row_of([*map(key_of, items)], *values, self.length)


class Shops:
    """Reads a folder with `interactions.csv`, as one row per user.

    Args:
        length: events per row.
        held_out: share of the events, the newest, that "train" leaves out.
    """

    file = EVENTS

    def __init__(self, length: int, held_out: float):
        self.length, self.held_out = length, held_out

    def __call__(self, directory: str, split: str) -> Examples:
        if split not in SPLITS:
            raise ValueError(
                f"a shop has the splits {', '.join(SPLITS)}; leave "
                f"data.test_split empty. Received: {split!r}"
            )
        shop = read_shop(directory)
        for line in shop.lines:
            print(f"Data: {line}")
        num_events = len(shop.user)
        if split == "train":
            num_events = max(1, round(num_events * (1 - self.held_out)))
            # Of one day all or nothing, as in periods to tune and test on.
            after = np.append(shop.time, np.inf)[num_events]
            num_events = np.searchsorted(shop.time, after) or num_events
        rows = histories(
            [key_of(item) for item in shop.items],
            *(column[:num_events] for column in shop.events),
            self.length,
        )
        return Examples(
            rows,
            np.full(len(rows), -1, np.int32),
            name=printable(pathlib.Path(directory).resolve().name),
            spec={NAME: tf.TensorSpec(rows.shape[1:], tf.int32)},
        )


def histories(
    keys: Sequence[int], user, item, time, weight, length: int
) -> np.ndarray:
    """Makes the rows of all users with an event, in the order of the shop.

    Args:
        keys: keys of the items, see `key_of`.
        user, item, time, weight: `[events]`, see `data.interactions.Shop`.
        length: events per row.

    Returns:
        int32 `[users, length, 3]`, see `row_of`.
    """
    order = np.argsort(user, kind="stable")
    keys = np.asarray(keys, np.int64)[item[order]]
    _, starts = np.unique(user[order], return_index=True)
    parts = (
        np.split(column, starts[1:])
        for column in (keys, time[order], weight[order])
    )
    return np.stack([row_of(*row, length) for row in zip(*parts, strict=True)])
