"""`byol_tf system recommender`, as functions."""

import json

import numpy as np
import pyarrow.parquet
import pytest

from byol_tf.systems.recommender import methods, verbs, web
from configs import recommender
from tests.support.shops import shop_rows, write_shop

FEW = ("popularity", "item-kNN", "SVD")


@pytest.fixture(scope="module")
def config():
    config = recommender.get_config()
    config.count = 4
    return config


@pytest.fixture(scope="module")
def shop(tmp_path_factory, config):
    """A folder with `data` and a fitted `run`."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder / "data", *shop_rows(users=60))
    with pytest.MonkeyPatch.context() as patch:
        few = {
            name: method._replace(
                fits=method.fits[:1], scorings=method.scorings[:1]
            )
            for name, method in methods.METHODS.items()
            if name in FEW
        }
        patch.setattr(methods, "METHODS", few)
        verbs.fit(config, str(folder / "data"), str(folder / "run"))
    return folder


@pytest.fixture(scope="module")
def desk(shop, config):
    places = str(shop / "data"), str(shop / "run")
    return web.Desk(lambda: verbs._load_answers(config, *places))


def said(verb, shop, config, capsys, *options):
    verb(config, str(shop / "data"), str(shop / "run"), *options)
    return capsys.readouterr().out.splitlines()


def test_figures_are_written_by_method(shop):
    table = json.loads((shop / "run" / "recommender.json").read_text())
    assert set(table) == {*FEW, "texts", "mix"}
    assert table["mix"]["recall@20"] > 0


def test_evaluate_finds_the_same_figures(shop, config, capsys):
    path = shop / "run" / "recommender.json"
    before = json.loads(path.read_text())
    lines = said(verbs.evaluate, shop, config, capsys)
    assert any(line.startswith("mix ") for line in lines)
    assert json.loads(path.read_text()) == before


def test_a_user_gets_a_list_with_reasons(shop, config, capsys):
    lines = said(verbs.recommend, shop, config, capsys, "u3", None, None)
    assert len(lines) == 4
    assert any("since you took" in line for line in lines)


def test_an_unknown_user_gets_what_is_popular(shop, config, capsys):
    first, *rest = said(
        verbs.recommend, shop, config, capsys, "nobody", None, None
    )
    assert "user nobody is not in the shop's events" in first
    assert len(rest) == 4 and all("popular now" in line for line in rest)


def test_a_history_of_three_gets_a_list(shop, config, capsys):
    options = None, "000,001,gone", None
    first, *rest = said(verbs.recommend, shop, config, capsys, *options)
    assert "not in the shop: 'gone'" in first and len(rest) == 4
    assert not any(line.startswith(("000", "001")) for line in rest)


def test_lists_of_all_users_go_to_parquet(shop, config, capsys):
    said(verbs.recommend, shop, config, capsys, None, None, None)
    table = pyarrow.parquet.read_table(shop / "run" / "lists.parquet")
    rows = table.to_pylist()
    assert len(rows) == 60 * 4
    assert [row["rank"] for row in rows[:5]] == [1, 2, 3, 4, 1]
    assert rows[0]["user"] == rows[3]["user"] != rows[4]["user"]
    assert len({(row["user"], row["item"]) for row in rows}) == len(rows)


def test_the_route_answers_users_and_histories(desk):
    for asked in ({"user": "u3"}, {"history": ["000"], "again": True}):
        text, kind = desk.recommend(json.dumps(asked).encode())
        answer = json.loads(text)
        assert kind == "application/json" and len(answer["items"]) == 4
        scores = [item["score"] for item in answer["items"]]
        assert scores == sorted(scores, reverse=True)
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"user": "a", "history": []}', b'{"history": "a"}'],
)
def test_another_body_is_refused_with_what_it_must_be(desk, body):
    with pytest.raises(ValueError, match="the body must be"):
        desk.recommend(body)


def test_a_body_nested_too_deeply_is_refused(desk):
    with pytest.raises(ValueError, match="the body must be"):
        desk.recommend(b"[" * 100_000)


def test_new_events_are_known_after_a_reload(shop, desk):
    file = shop / "data" / "interactions.csv"
    before = file.read_text()
    try:
        file.write_text(before + "late,000,40000000\n")
        counts = json.loads(desk.reload(b"")[0])
        assert counts == {"users": 61, "items": 80}
        answer = json.loads(desk.recommend(b'{"user": "late"}')[0])
        assert answer["notes"] == []
    finally:
        file.write_text(before)


def test_a_list_needs_the_shop(shop, config):
    with pytest.raises(ValueError, match="--data=DIR"):
        verbs.recommend(config, None, str(shop / "run"), "u3", None, None)


def test_a_user_and_a_history_at_once_are_refused(shop, config):
    places = str(shop / "data"), str(shop / "run")
    with pytest.raises(ValueError, match="not both"):
        verbs.recommend(config, *places, "u3", "000", None)


@pytest.mark.parametrize(("name", "value"), [("share", 0.9), ("count", 0)])
def test_settings_out_of_range_are_named(shop, config, name, value):
    wrong = config.copy_and_resolve_references()
    wrong[name] = value
    places = str(shop / "data"), str(shop / "run")
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        verbs.evaluate(wrong, *places)
        verbs.recommend(wrong, *places, "u3", None, None)
