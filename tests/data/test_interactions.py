"""What is unusual in a shop's files is said, and nothing is lost."""

import re
import time

import numpy as np
import pytest

from byol_tf.data.interactions import read_shop
from tests.support.shops import write_shop

ITEMS = [("a", "red mug"), ("b", "blue mug"), ("c", "")]
EVENTS = [("u", "a", 100), ("u", "b", 200), ("v", "a", 300), ("v", "b", 50)]


def lines(shop):
    return "\n".join(shop.lines)


def test_events_come_by_time_with_places_of_items_and_users(tmp_path):
    shop = read_shop(write_shop(tmp_path, ITEMS, EVENTS))
    assert shop.items == ["a", "b", "c"] and shop.texts[0] == "red mug"
    named = [
        (shop.users[u], shop.items[i])
        for u, i in zip(shop.user, shop.item, strict=True)
    ]
    assert named == [("v", "b"), ("u", "a"), ("u", "b"), ("v", "a")]
    np.testing.assert_array_equal(shop.time, [50, 100, 200, 300])
    assert lines(shop).startswith("1 items have no text")


@pytest.mark.parametrize(
    ("column", "cells", "said", "count"),
    [
        (
            "quantity",
            ["1", "-2", "3", ""],
            r"1 quantities are missing.*\n1 quantities are 0 or below",
            3,
        ),
        ("event", ["view", "click", "buy", ""], "1 events are of a kind", 4),
        ("rating", ["5", "1", "", "x"], "2 ratings are missing", 4),
        ("quantity", ["inf", "1e308", "2,5", "x"], "3 quantities are miss", 4),
    ],
)
def test_columns_weigh_events(tmp_path, column, cells, said, count):
    events = [(*event, cell) for event, cell in zip(EVENTS, cells, strict=True)]
    shop = read_shop(write_shop(tmp_path, ITEMS, events, f"timestamp {column}"))
    assert re.search(said, lines(shop), re.DOTALL)
    assert len(shop.weight) == count and (shop.weight > 0).all()
    assert np.isfinite(shop.weight).all()


def test_a_view_says_less_than_a_purchase(tmp_path):
    events = [
        ("u", "a", 1, "view"),
        ("u", "b", 2, "purchase"),
        ("u", "c", 3, "comment"),
    ]
    shop = read_shop(write_shop(tmp_path, ITEMS, events, "timestamp event"))
    np.testing.assert_allclose(shop.weight, [0.2, 1.0, 0.7])


@pytest.mark.parametrize(
    "stamps",
    [
        ("2011-12-01", "2011-12-01 00:00:01", "2011-12-01T00:00:02Z"),
        ("1322697600", "1322697601.0", "1322697602"),
        ("1322697600000", "1322697601000", "1322697602000000"),
    ],
)
def test_times_are_read_in_several_forms(tmp_path, stamps):
    events = [
        ("u", item, stamp) for item, stamp in zip("abc", stamps, strict=True)
    ]
    shop = read_shop(write_shop(tmp_path, ITEMS, events))
    np.testing.assert_array_equal(shop.time - 1322697600, [0, 1, 2])


def test_what_is_wrong_with_times_and_names_is_counted(tmp_path):
    future = time.time() + 1e7
    events = [
        *EVENTS,
        ("w", "d", "soon"),
        ("w", "a", future),
        ("", "a", 1),
        ("u", "a", 100),
    ]
    shop = read_shop(write_shop(tmp_path, ITEMS, events))
    for said in (
        "1 items of interactions.csv are not in items.csv",
        "1 lines name no user or no item",
        "1 times cannot be read",
        "1 events lie in the future",
        "1 events repeat another",
    ):
        assert said in lines(shop)
    assert shop.time.max() == 300 and shop.time.min() == 50
    assert len(shop.user) == 6 and shop.items[-1] == "d"


def test_events_of_two_kinds_at_one_time_are_both_kept(tmp_path):
    events = [("u", "a", 9, kind) for kind in ("view", "purchase", "view")]
    events += [("v", "b", time, "purchase") for time in (1, 2)]
    shop = read_shop(write_shop(tmp_path, ITEMS, events, "timestamp event"))
    np.testing.assert_allclose(sorted(shop.weight), [0.2, 1, 1, 1])
    assert "1 events repeat another" in lines(shop)


def test_any_number_of_kinds_is_read(tmp_path):
    events = [("u", "a", n, f"kind {n}") for n in range(300)]
    shop = read_shop(write_shop(tmp_path, ITEMS, events, "timestamp event"))
    assert len(shop.kinds) == len(shop.kind) == 300


def test_short_and_long_lines_are_counted_and_kept(tmp_path):
    write_shop(tmp_path, [*ITEMS, ("d", "red", "wide mug")], EVENTS)
    with open(tmp_path / "interactions.csv", "a") as file:
        file.write("w,d\nw,a,400,more\n")
    shop = read_shop(tmp_path)
    assert shop.texts[3] == "red wide mug" and len(shop.user) == 6
    assert "1 times cannot be read" in lines(shop)
    assert "1 lines have more cells" in lines(shop)


def test_a_column_without_a_name_is_an_index_and_left_out(tmp_path):
    (tmp_path / "items.csv").write_text(",item,text\n7,a,red shoe\n")
    (tmp_path / "interactions.csv").write_text(",user,item\n8,u,a\n")
    shop = read_shop(tmp_path)
    assert shop.texts == ["red shoe"]
    assert "more cells" not in lines(shop)


def test_a_line_without_an_item_is_counted(tmp_path):
    shop = read_shop(write_shop(tmp_path, [*ITEMS, ("", "mug")], EVENTS))
    assert "1 lines of items.csv name no item" in lines(shop)
    assert shop.items == ["a", "b", "c"]


def test_a_kind_must_weigh_something(tmp_path):
    write_shop(tmp_path, ITEMS, EVENTS)
    with pytest.raises(ValueError, match=r"`events\.view` must be .* above 0"):
        read_shop(tmp_path, {"view": 0.0})


def test_times_that_all_lie_in_the_future_keep_their_order(tmp_path):
    events = [(user, item, 9e9 + time) for user, item, time in EVENTS]
    shop = read_shop(write_shop(tmp_path, ITEMS, events))
    np.testing.assert_array_equal(shop.time - 9e9, [50, 100, 200, 300])
    assert "future" not in lines(shop)


def test_without_times_the_order_of_lines_counts(tmp_path):
    events = [event[:2] for event in EVENTS]
    shop = read_shop(write_shop(tmp_path, ITEMS, events, ""))
    assert "the order of its lines counts" in lines(shop)
    assert (np.diff(shop.time) > 0).all() and shop.users[shop.user[-1]] == "v"


def test_one_user_with_half_of_all_events_is_named(tmp_path):
    events = [("big", item, t) for t in range(5) for item in "abc"]
    events += [("v", "a", 9), ("w", "b", 10)]
    shop = read_shop(write_shop(tmp_path, ITEMS, events))
    assert "user big has 88% of all events" in lines(shop)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("items.csv", None, "items.csv is missing.*item, text"),
        ("items.csv", b"id,text\n1,a\n", "no column item.*'id', 'text'"),
        ("interactions.csv", b"user,item\n", "has no events"),
        ("interactions.csv", b"user,item\n\xff,a\n", "not UTF-8"),
        (
            "interactions.csv",
            b"user,item,quantity\nu,a,-1\n",
            "has no events; 1 quantities are 0 or below",
        ),
        ("items.csv", b"", "no column item, text.*names: nothing"),
        ("items.csv", b'item,text\na,"red mug\nb,c\n', "line 3.*be closed"),
        ("items.csv", b"item,text\na," + b"x" * 200_000, "line 2: field larg"),
    ],
)
def test_errors_name_file_and_columns(tmp_path, name, content, said):
    write_shop(tmp_path, ITEMS, EVENTS)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_shop(tmp_path)
