"""A recommender of a small shop: from files to lists and back."""

import dataclasses

import numpy as np
import pytest

from byol_tf.data.interactions import read_shop
from byol_tf.systems.recommender import fitting, methods, parts
from byol_tf.systems.recommender.answers import Answers
from tests.support.shops import START, shop_rows, write_shop

NAMES = ("popularity", "item-kNN", "EASE")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rows = shop_rows(users=150)
    return write_shop(tmp_path_factory.mktemp("shop"), *rows)


@pytest.fixture(scope="module")
def fitted(folder):
    return fit(read_shop(folder))


@pytest.fixture(scope="module")
def run(fitted, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    parts.save(fitted[0], run)
    return run


@pytest.fixture(scope="module")
def answers(folder, run):
    return load(folder, run)


def fit(shop):
    found = parts.parts_of(shop, "none")
    some = {name: found.methods[name] for name in (*NAMES, methods.TEXTS)}
    return fitting.fit(found._replace(methods=some))


def load(folder, run, count=20):
    return Answers(parts.load(folder, run).mix(), count)


def ids(past, places):
    return {past.shop.items[place] for place in places}


def test_the_table_has_every_method_and_the_mix(fitted):
    _, table = fitted
    assert set(table) == {*NAMES, "texts", "mix"}
    for row in table.values():
        assert set(row) == {
            *("recall@20", "ndcg@20", "coverage", "cold_recall@20")
        }
        assert all(0 <= value <= 1 for value in row.values())
    assert table["mix"]["ndcg@20"] > table["popularity"]["ndcg@20"]
    assert table["mix"]["cold_recall@20"] > 20 / 80  # that of chance


def test_nothing_is_listed_twice_or_again_unless_asked(answers):
    past, users = answers.mix.past, np.arange(20)
    histories, rows = past.matrix(), past.rows(users)
    for user, found in zip(users, answers.lists(rows), strict=True):
        items = [listed.item for listed in found]
        assert len(set(items)) == 20
        assert not set(items) & ids(past, histories[user].indices)
    again = answers.lists(rows, again=True)
    shown = [{listed.item for listed in found} for found in again]
    assert any(ids(past, histories[u].indices) & shown[u] for u in users)


def test_texts_of_an_encoder_are_judged_on_new_items_too(fitted, folder):
    plan, _ = fitted
    found = parts.parts_of(read_shop(folder), "none")
    some = {name: found.methods[name] for name in (*NAMES, methods.TEXTS)}
    some[parts.ENCODED] = some[methods.TEXTS]
    settings = {**plan.settings, parts.ENCODED: plan.settings[methods.TEXTS]}
    plan = dataclasses.replace(plan, settings=settings)
    table = fitting.result_table(
        found._replace(methods=some, plan=plan), 0.1, 0
    )
    assert table[parts.ENCODED] == table[methods.TEXTS]


def test_reasons_come_from_the_users_own_history_alone(answers):
    past = answers.mix.past
    for user, found in enumerate(answers.lists(past.rows(np.arange(30)))):
        places = past.matrix()[user].indices
        own = {past.shop.texts[place] for place in places}
        assert all(set(listed.because) <= own for listed in found)
    assert any(listed.because for listed in found)


def test_a_saved_plan_is_read_as_it_was(fitted, folder, run):
    assert parts.load(folder, run).plan == fitted[0]


def test_new_items_and_users_get_answers_between_trainings(
    folder, run, tmp_path
):
    items, events = shop_rows(users=150)
    mugs = [item for item, text in items if "mug" in text][:3]
    new = [("new", f"{mugs[n]}", int(4e7)) for n in range(3)]
    items = [("!", "golden mug"), *items]
    folder = write_shop(tmp_path, items, [*events, *new])
    found, notes = load(folder, run, 81).for_user("new", again=True)
    (golden,) = (one for one in found if one.item == "!")
    assert golden.because and all("mug" in text for text in golden.because)
    assert golden.score > np.median([one.score for one in found])
    assert not notes


def test_without_a_history_the_list_is_what_is_popular(answers):
    mix = answers.mix
    found, _ = answers.for_history(())
    half_life = mix.plan.settings["popularity"]["half_life"]
    counts = mix.past.matrix(half_life).toarray().sum(axis=0)
    best = np.argsort(-counts)[:20]
    assert [one.item for one in found] == [mix.past.shop.items[n] for n in best]
    assert not any(one.because for one in found)


def test_a_history_of_all_items_is_told_why_nothing_is_listed(answers):
    found, notes = answers.for_history(answers.mix.past.shop.items)
    assert not found and "every item of the shop" in notes[0]


def test_a_test_period_without_known_users_is_told(fitted, tmp_path, capsys):
    items, events = shop_rows(users=60)
    new = [(f"new{n}", "000", START + 40_000_000 + n) for n in range(200)]
    write_shop(tmp_path, items, [*events, *new])
    parts.save(fitted[0], tmp_path)
    table = fitting.result_table(parts.load(tmp_path, tmp_path), 0.1, 0)
    assert np.isnan(table["mix"]["recall@20"])
    assert "Nobody with a history did anything new" in capsys.readouterr().out


def test_a_run_without_a_recommender_says_how_to_fit_one(folder, tmp_path):
    with pytest.raises(ValueError, match="recommender fit --data="):
        parts.load(folder, tmp_path)


def test_a_shop_of_one_item_is_refused(tmp_path):
    events = [(f"u{n}", "000", n) for n in range(50)]
    shop = read_shop(write_shop(tmp_path, [("000", "red mug")], events))
    with pytest.raises(ValueError, match=r"two items.*1 items, 50 users"):
        fit(shop)


def test_a_shop_where_nobody_comes_back_is_refused(tmp_path):
    events = [(f"u{n}", f"{n:03}", n * 86400) for n in range(50)]
    shop = read_shop(write_shop(tmp_path, [("000", "red mug")], events))
    with pytest.raises(ValueError, match="50 events of 50 users"):
        fit(shop)


def test_events_that_say_nothing_get_little_weight(tmp_path):
    items, events = shop_rows(users=150)
    rng = np.random.default_rng(0)
    noise = [
        (user, items[rng.integers(len(items))][0], time, "view")
        for user, _, time in events[::2]
    ]
    shown = [(*event, "purchase") for event in events]
    folder = write_shop(tmp_path, items, [])
    lines = [",".join(map(str, row)) for row in (*shown, *noise)]
    head = "user,item,timestamp,event"
    (tmp_path / "interactions.csv").write_text("\n".join([head, *lines]))
    shop = read_shop(folder)
    found = fitting.weigh(shop, 0.1)
    assert found.kinds["view"] < found.kinds["purchase"]
    views = shop.kind == list(shop.kinds).index("view")
    assert views.sum() == pytest.approx(len(noise), rel=0.05)
    np.testing.assert_allclose(
        found.weight[views], found.kinds["view"], rtol=1e-5
    )


def test_an_encoder_that_is_gone_is_named(fitted, folder, tmp_path):
    plan, _ = fitted
    weights = {**plan.weights, "BYOL": 1.0}
    parts.save(dataclasses.replace(plan, weights=weights), tmp_path)
    with pytest.raises(ValueError, match=r"BYOL is part of the mix.*encoder"):
        parts.load(folder, tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"weights": {}}'])
def test_a_damaged_plan_is_named(folder, tmp_path, content):
    (tmp_path / "recommender").mkdir()
    (tmp_path / "recommender" / "plan.json").write_text(content)
    with pytest.raises(ValueError, match=r"plan\.json is damaged"):
        parts.load(folder, tmp_path)
