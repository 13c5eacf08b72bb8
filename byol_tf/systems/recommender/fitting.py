"""Fits a recommender: settings, weights and results from held-out periods."""

import dataclasses
import functools
import itertools

import numpy as np

from byol_tf.checks import require
from byol_tf.data.interactions import Shop
from byol_tf.data.rows import spread_rows
from byol_tf.systems.recommender import judging
from byol_tf.systems.recommender.judging import COLD, GOAL
from byol_tf.systems.recommender.methods import ALS, MAX_SQUARE, METHODS, TEXTS
from byol_tf.systems.recommender.mix import Plan, learn, standard
from byol_tf.systems.recommender.parts import ENCODED, Parts
from byol_tf.systems.recommender.past import Period, periods

MIX = "mix"
_NEAR = (3, 10, 30)
_SHARES = (0.0, 0.3, 1.0, 3.0)
_EVENTS = (0.1, 0.3, 1.0)  # candidate weights of a kind of event
_MOST_KINDS = 10  # whose weights are found, the most frequent ones
_HIDDEN = 0.1  # share of the items hidden to act as new ones
_BYTES = 2**30  # of all methods' scores, for the users that choose the weights

Table = dict[str, dict[str, float]]


def fit(parts: Parts, share: float = 0.1, seed: int = 0) -> tuple[Plan, Table]:
    """Tunes on a held-out period, then tests on the next one; prints progress.

    Args:
        parts: shop, methods and vectors of texts.
        share: share of the events, for each of the two periods.
        seed: seed of the items hidden to act as new ones.

    Returns:
        Settings and weights, and the results of `result_table`.

    Raises:
        ValueError: if there are fewer than two items or users, or the held-out
            period has nothing to learn from.
    """
    shop = parts.shop
    if min(len(shop.items), len(shop.users)) < 2:
        raise ValueError(
            f"a shop needs two items and two users. Received: "
            f"{len(shop.items)} items, {len(shop.users)} users"
        )
    parts = parts._replace(methods=_possible_methods(parts))
    first, second = periods(shop, share)
    held_out = Period.of(shop, first, second)
    if not len(held_out.users):
        raise ValueError(
            "nobody with a history did anything new in the held-out period: "
            f"there are {len(shop.time):,} events of {len(shop.users):,} "
            "users; more events, or a larger share by --config.share=0.2, "
            "are needed"
        )
    parts = parts._replace(plan=_make_plan(held_out, parts.methods))
    cold = Period.of(shop, first, second, hidden_items(shop, seed))
    plan = _tune_cold(parts.mix(cold.past), cold)
    weight_texts = ", ".join(f"{n} {w:g}" for n, w in plan.weights.items() if w)
    print(f"Weights of the mix: {weight_texts}")
    return plan, result_table(parts._replace(plan=plan), share, seed)


def weigh(shop: Shop, share: float) -> Shop:
    """Finds weights of the kinds of events on the held-out period.

    Tries one kind after the other, by the accuracy of item-kNN.

    Args:
        shop: shop with several kinds of events.
        share: see `fit`.
    """
    first, second = periods(shop, share)
    method, setting = METHODS["item-kNN"], {"count": 50, "half_life": 0.0}

    def gain(kinds):
        period = Period.of(shop.weighted(kinds), first, second)
        return judging.judge(method.fitted(period.past, setting), period)[GOAL]

    kinds, best = dict(shop.kinds), gain(shop.kinds)
    frequent = np.argsort(-np.bincount(shop.kind), kind="stable")[:_MOST_KINDS]
    names = [list(kinds)[number] for number in sorted(frequent)]
    for name, weight in itertools.product(names, _EVENTS):
        candidate = kinds | {name: weight}
        ndcg = gain(candidate)
        if ndcg > best:
            best, kinds = ndcg, candidate
    return shop.weighted(kinds)


def _possible_methods(parts):
    """Returns the methods that memory and installed packages allow."""
    (shop, _, methods, _), left_out = parts, {}
    square = min(len(shop.items), len(shop.users))
    if square > MAX_SQUARE:
        reason = f"{square:,} items or users are more than {MAX_SQUARE:,}"
        left_out |= {
            n: reason for n, method in methods.items() if method.square
        }
    if ALS in methods:
        try:
            require("implicit.cpu.als", "recommender")
        except ValueError as error:
            left_out[ALS] = error
    for name, reason in left_out.items():
        print(f"{name} is left out: {reason}")
    return {n: method for n, method in methods.items() if n not in left_out}


def hidden_items(shop: Shop, seed: int = 0) -> np.ndarray:
    """Hides a share of the items; more if there are few, for lists of 20.

    Returns:
        bool `[items]`.
    """
    count = len(shop.items)
    hide = min(max(round(count * _HIDDEN), 5 * judging.LIST_LENGTH), count // 3)
    return np.random.default_rng(seed).permutation(count).argsort() < hide


def _make_plan(period, methods) -> Plan:
    """Returns the best setting of each method, and weights of their scores."""
    settings, scorers = {}, {}
    for name, method in methods.items():
        best = -1.0
        for fit_setting in method.fits:
            score = method.fit(period.past, **fit_setting)
            for score_setting in method.scorings:
                scores = functools.partial(score, **score_setting)
                ndcg = judging.judge(scores, period)[GOAL]
                if ndcg > best:
                    best, scorers[name] = ndcg, scores
                    settings[name] = {**fit_setting, **score_setting}
        line = f"{name}: NDCG {best:.4f} in the held-out period"
        print(line, flush=True)
    users = _weighting_users(period, len(methods))
    parts = {
        name: np.concatenate(
            [
                standard(scores(period.rows(users[block])), period.past.warm)
                for block in judging.blocks(len(users))
            ]
        )
        for name, scores in scorers.items()
    }
    seen = period.past.matrix()[period.users[users]]
    weights, _ = learn(parts, period.relevant[users], seen)
    return Plan(settings, weights)


def _weighting_users(period, methods):
    """Returns places of the users that choose the weights, as many as fit."""
    size = methods * period.past.shape[1] * 4
    return spread_rows(len(period.users), max(50, _BYTES // size))


def _tune_cold(mix, period) -> Plan:
    """Returns the plan that finds most hidden items in the held-out period."""
    cold = ~period.past.warm
    relevant = period.relevant[:, cold]
    users = np.flatnonzero(relevant.getnnz(axis=1))
    if not len(users):
        return mix.plan
    blocks = (users[block] for block in judging.blocks(len(users)))
    parts = zip(
        *(mix.parts(period.rows(block)) for block in blocks), strict=True
    )
    parts = [np.concatenate(part) for part in parts]
    best, best_plan = -1.0, mix.plan
    for near, share in itertools.product(_NEAR, _SHARES):
        plan = dataclasses.replace(mix.plan, near=near, share=share)
        scores = dataclasses.replace(mix, plan=plan).fill_cold(*parts)
        lists = judging.top(scores[:, cold], None)
        recall = judging.recall_and_ndcg(lists, relevant[users])[0].mean()
        if recall > best:
            best, best_plan = recall, plan
    return best_plan


def result_table(parts: Parts, share: float, seed: int) -> Table:
    """Makes the rows of the table, for the test period; see `fit`.

    Returns:
        By method `recall@20`, `ndcg@20`, `coverage`, `cold_recall@20`.
    """
    shop, plan = parts.shop, parts.plan
    _, second = periods(shop, share)
    hidden = hidden_items(shop, seed)
    period = Period.of(shop, second, len(shop.time))
    cold = Period.of(shop, second, len(shop.time), hidden)
    print(
        f"Judged on {len(period.users):,} users; {hidden.sum():,} items "
        "were hidden to stand for new ones"
    )
    if not len(period.users):
        print(
            "Nobody with a history did anything new in the test period, so "
            "there are no figures; a larger --config.share takes in more"
        )
    table = {}
    for name, method in parts.methods.items():
        scores = method.fitted(period.past, plan.settings[name])
        # Without events there is no score, so such an item is never listed.
        table[name] = judging.judge(scores, period) | {COLD: 0.0}
    for name in {TEXTS, ENCODED} & {*parts.methods}:
        texts = parts.methods[name].fitted(cold.past, plan.settings[name])
        table[name][COLD] = judging.judge_cold(texts, cold)
    table[MIX] = judging.judge(parts.mix(period.past), period)
    table[MIX][COLD] = judging.judge_cold(parts.mix(cold.past), cold)
    return table
