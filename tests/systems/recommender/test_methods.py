"""Methods against their definitions, written out in float64."""

import dataclasses
import types

import numpy as np
import pytest
from scipy import sparse

from byol_tf.data.interactions import Shop
from byol_tf.systems.recommender import judging, methods, mix, parts
from byol_tf.systems.recommender.past import DAY, Past, Period, periods

USERS, ITEMS = 12, 9


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((USERS, ITEMS)) < 0.45)
    pairs = pairs[rng.permutation(len(pairs))].astype(np.int32)
    names = [f"red thing{i}" for i in range(ITEMS)]
    time = np.arange(len(pairs)) * DAY
    weight = np.float32(rng.uniform(0.5, 3, len(pairs)))
    users = [str(u) for u in range(USERS)]
    return Shop(names, names, users, *pairs.T, time, weight, ())


@pytest.fixture(scope="module")
def past(shop):
    return Past(shop, len(shop.time))


@pytest.fixture(scope="module")
def dense(past):
    return past.matrix().toarray().astype(float)


def cosines(rows):
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit @ unit.T


def scores(name, past, **setting):
    fitted = methods.METHODS[name].fitted(past, {"half_life": 0.0, **setting})
    return fitted(past.rows(slice(None)))


def test_an_old_event_counts_less(shop, past):
    rows = past.matrix(2.0).toarray()
    found = rows[shop.user, shop.item]
    age = (shop.time[-1] - shop.time) / DAY
    expected = np.minimum(shop.weight, 1) * 0.5 ** (age / 2)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_popularity_counts_users(past, dense):
    found = scores("popularity", past)
    np.testing.assert_allclose(found[3], np.log1p(dense.sum(0)), rtol=1e-5)


def test_neighbours_of_items_are_those_of_largest_cosine(past, dense):
    near = cosines(dense.T)
    np.fill_diagonal(near, 0)
    least = np.sort(near, axis=1)[:, -3, None]
    expected = dense @ np.where(near >= least, near, 0).T
    found = scores("item-kNN", past, count=3)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_users_are_scored_by_their_neighbours(past, dense):
    expected = cosines(dense) ** 2 @ dense
    found = scores("user-kNN", past, count=USERS, power=2.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_svd_projects_on_the_largest_directions(past, dense):
    *_, turned = np.linalg.svd(dense)
    expected = dense @ turned[:3].T @ turned[:3]
    found = scores("SVD", past, size=3)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_ease_is_a_ridge_regression_without_the_item_itself(past, dense):
    weights = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        rest = dense[:, others]
        gram = rest.T @ rest + 5.0 * np.eye(ITEMS - 1)
        weights[others, item] = np.linalg.solve(gram, rest.T @ dense[:, item])
    found = scores("EASE", past, strength=5.0)
    np.testing.assert_allclose(found, dense @ weights, atol=1e-4)


def test_ease_inverts_users_where_there_are_fewer(past, dense):
    rows = past.matrix()
    few = types.SimpleNamespace(matrix=lambda: rows[:5])
    dense = dense[:5]
    score = methods.METHODS["EASE"].fit(few, strength=5.0)
    inverse = np.linalg.inv(dense.T @ dense + 5.0 * np.eye(ITEMS))
    weights = np.eye(ITEMS) - inverse / np.diag(inverse)
    found = score(lambda half_life: rows[3:8], 0.0)
    wanted = rows[3:8].toarray() @ weights
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_als_is_at_rest(past):
    pytest.importorskip("implicit")
    score = methods.METHODS["ALS"].fit(past, size=4, strength=1.0, alpha=1.0)
    found = score(past.rows(slice(None)), 0.0)
    (model,) = (
        cell.cell_contents
        for cell in score.__closure__
        if hasattr(cell.cell_contents, "item_factors")
    )
    users, sure = model.user_factors, past.confidence.toarray()
    sure = np.where(sure > 0, 1 + np.log1p(sure), 0)
    for item, factors in enumerate(model.item_factors):
        weight = np.maximum(sure[:, item], 1)[:, None]
        left = users.T @ (weight * users) + np.eye(4)
        wanted = np.linalg.solve(left, users.T @ sure[:, item])
        np.testing.assert_allclose(factors, wanted, atol=0.05)
    assert found.shape == (USERS, ITEMS)


def test_texts_that_are_alike_score_high():
    vectors = parts.tfidf(["red mug", "blue mug", "garden chair", ""])
    rows = sparse.csr_matrix(np.float32([[1, 0, 0, 0]]))
    (found,) = methods.of_texts(vectors).fit(None)(lambda half_life: rows, 0.0)
    assert found[0] == pytest.approx(1) and found[1] > found[2] >= 0
    assert found[3] == 0


def test_cold_items_get_the_scores_of_near_texts():
    vectors = parts.tfidf(["red mug", "chair", "red mug", "unheard of"])
    warm = np.array([True, True, False, False])
    turned = mix.imputation_weights(vectors, warm, count=1)
    found = np.float32([[5, -1, 9, 9]]) @ turned
    np.testing.assert_allclose(found, [[5, -1, 5, 0]], atol=1e-5)


def test_periods_are_cut_by_time(shop):
    first, second = periods(shop, 0.2)
    count = len(shop.time)
    assert (first, second) == (round(count * 0.6), round(count * 0.8))


def test_events_of_one_moment_stay_together(shop):
    same = dataclasses.replace(shop, time=shop.time // (10 * DAY))
    for place in periods(same, 0.2):
        assert same.time[place] > same.time[place - 1]


def test_a_period_asks_for_what_is_new_to_users_with_a_history(shop):
    start, end = 20, len(shop.time)
    period = Period.of(shop, start, end)
    before = {
        (u, i)
        for u, i in zip(shop.user[:start], shop.item[:start], strict=True)
    }
    after = {
        (u, i)
        for u, i in zip(shop.user[start:], shop.item[start:], strict=True)
    }
    known = {u for u, _ in before}
    expected = {(u, i) for u, i in after - before if u in known}
    rows, items = period.relevant.nonzero()
    assert set(zip(period.users[rows], items, strict=True)) == expected
    np.testing.assert_array_equal(
        ~period.past.warm,
        [i not in {i for _, i in before} for i in range(ITEMS)],
    )


def test_recall_ndcg_and_coverage_by_hand(shop):
    period = Period.of(shop, 20, len(shop.time))
    rng = np.random.default_rng(1)
    table = rng.normal(size=(len(period.users), ITEMS))
    seen = period.past.matrix()[period.users].toarray() > 0
    wanted = period.relevant.toarray() > 0
    recalls, gains, shown = [], [], set()
    for row, values in enumerate(table):
        order = [i for i in np.argsort(-values) if not seen[row, i]][:20]
        shown |= set(order)
        recalls.append(wanted[row, order].sum() / wanted[row].sum())
        gain = sum(
            1 / np.log2(n + 2) for n, i in enumerate(order) if wanted[row, i]
        )
        most = sum(
            1 / np.log2(n + 2) for n in range(min(20, wanted[row].sum()))
        )
        gains.append(gain / most)
    found = judging.judge(lambda rows: table.copy(), period)
    assert found["recall@20"] == pytest.approx(np.mean(recalls))
    assert found["ndcg@20"] == pytest.approx(np.mean(gains))
    assert found["coverage"] == len(shown) / ITEMS


def test_items_that_all_users_have_are_not_covered():
    have = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
    past = types.SimpleNamespace(matrix=lambda: sparse.csr_matrix(have))
    wanted = sparse.csr_matrix([[0, 0, 1, 0], [0, 1, 0, 0]])
    period = types.SimpleNamespace(
        users=np.arange(2), past=past, relevant=wanted, rows=lambda part: part
    )
    found = judging.judge(lambda part: np.ones((len(part), 4)), period)
    assert found["coverage"] == 3 / 4


def test_a_mix_takes_what_helps_and_leaves_noise():
    rng = np.random.default_rng(0)
    wanted = rng.random((200, 60)) < 0.1
    wanted[:, 0] = True
    good = np.float32(wanted + rng.normal(size=wanted.shape))
    also = np.float32(wanted + rng.normal(size=wanted.shape))
    noise = np.float32(rng.normal(size=wanted.shape))
    found = {"good": good, "also": also, "noise": noise}
    weights, gain = mix.learn(found, sparse.csr_matrix(wanted), None)
    assert weights["good"] > 0 and weights["also"] > 0
    alone, _ = mix.learn({"good": good}, sparse.csr_matrix(wanted), None), 0
    assert gain > alone[1] and weights["noise"] <= 0.25
