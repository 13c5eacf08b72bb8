"""A recommender of a small shop: from files to lists and back."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from byol_tf.data.interactions import read_shop
from byol_tf.systems.recommender import fitting, methods, store, texts
from tests.support.shops import shop_rows, write_shop

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
    store.save(fitted.mix.plan, run)
    return run


def fit(shop):
    vectors = texts.tfidf(shop.texts)
    some = {name: methods.METHODS[name] for name in NAMES}
    some[methods.TEXTS] = methods.of_texts(vectors)
    return fitting.fit(shop, vectors, some, say=lambda line: None)


def ids(mix, places):
    return {mix.past.shop.items[place] for place in places}


def of_users(mix, users):
    return lambda half_life: mix.past.matrix(half_life)[users]


def test_the_table_has_every_method_and_the_mix(fitted):
    table = fitted.table
    assert set(table) == {*NAMES, "texts", "mix"}
    for row in table.values():
        assert set(row) == {
            *("recall@20", "ndcg@20", "coverage", "cold_recall@20")
        }
        assert all(0 <= value <= 1 for value in row.values())
    assert table["mix"]["ndcg@20"] > table["popularity"]["ndcg@20"]
    assert table["mix"]["cold_recall@20"] > 20 / 80  # that of chance


def test_nothing_is_listed_twice_or_again_unless_asked(fitted):
    mix, users = fitted.mix, np.arange(20)
    histories = mix.past.matrix()
    for user, found in zip(users, mix.lists(of_users(mix, users)), strict=True):
        items = [listed.item for listed in found]
        assert len(set(items)) == 20
        assert not set(items) & ids(mix, histories[user].indices)
    again = mix.lists(of_users(mix, users), again=True)
    shown = [{listed.item for listed in found} for found in again]
    assert any(ids(mix, histories[u].indices) & shown[u] for u in users)


def test_reasons_come_from_the_users_own_history_alone(fitted):
    mix = fitted.mix
    for user, found in enumerate(mix.lists(of_users(mix, np.arange(30)))):
        places = mix.past.matrix()[user].indices
        own = {mix.past.shop.texts[place] for place in places}
        assert all(set(listed.because) <= own for listed in found)
    assert any(listed.because for listed in found)


def test_a_saved_recommender_lists_the_same(fitted, folder, run):
    again = store.load(folder, run)
    users = np.arange(10)
    for one, other in zip(
        *(mix.lists(of_users(mix, users)) for mix in (fitted.mix, again)),
        strict=True,
    ):
        assert [listed.item for listed in one] == [
            listed.item for listed in other
        ]


def test_new_items_and_users_get_answers_between_trainings(
    folder, run, tmp_path
):
    items, events = shop_rows(users=150)
    mugs = [item for item, text in items if "mug" in text][:3]
    new = [("new", f"{mugs[n]}", int(4e7)) for n in range(3)]
    items = [("!", "golden mug"), *items]
    mix = store.load(write_shop(tmp_path, items, [*events, *new]), run)
    shop = mix.past.shop
    place = shop.users.index("new")
    (found,) = mix.lists(of_users(mix, [place]), 60)
    (golden,) = (one for one in found if one.item == "!")
    assert golden.because and all("mug" in text for text in golden.because)
    half = np.median(mix.scores(of_users(mix, [place])))
    assert golden.score > half


def test_without_a_history_the_list_is_what_is_popular(fitted):
    mix = fitted.mix
    empty = sparse.csr_matrix((1, len(mix.past.shop.items)), dtype=np.float32)
    (found,) = mix.lists(lambda half_life: empty, 5)
    half_life = mix.plan.settings["popularity"]["half_life"]
    counts = mix.past.matrix(half_life).toarray().sum(axis=0)
    best = np.argsort(-counts)[:5]
    assert [one.item for one in found] == [mix.past.shop.items[n] for n in best]
    assert not any(one.because for one in found)


def test_a_run_without_a_recommender_says_how_to_fit_one(folder, tmp_path):
    with pytest.raises(ValueError, match="recommender fit --data="):
        store.load(folder, tmp_path)


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
    plan = fitted.mix.plan
    weights = {**plan.weights, "BYOL": 1.0}
    store.save(dataclasses.replace(plan, weights=weights), tmp_path)
    with pytest.raises(ValueError, match=r"BYOL is part of the mix.*encoder"):
        store.load(folder, tmp_path)
