"""Fits a recommender: settings, weights and results from held-out periods."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from byol_tf.checks import require
from byol_tf.data.interactions import Shop
from byol_tf.systems.recommender import judging, mixing
from byol_tf.systems.recommender.methods import (
    ALS,
    METHODS,
    MOST_SQUARE,
    TEXTS,
    Method,
)
from byol_tf.systems.recommender.mix import Mix, Plan
from byol_tf.systems.recommender.past import Past, Period, periods

MIX, COLD = "mix", "cold_recall@20"
_GOAL = "ndcg@20"
_NEAR = (3, 10, 30)
_SHARES = (0.0, 0.3, 1.0, 3.0)
_EVENTS = (0.1, 0.3, 1.0)  # candidate weights of a kind of event
_HIDDEN = 0.1  # share of the items hidden to act as new ones


class Fitted(NamedTuple):
    """A recommender and its test results.

    Attributes:
        mix: fitted on all events.
        table: by method `recall@20`, `ndcg@20`, `coverage`, `cold_recall@20` in
            the test period.
        lines: the choices made, one sentence each.
    """

    mix: Mix
    table: Mapping[str, Mapping[str, float]]
    lines: Sequence[str]


def fit(
    shop: Shop,
    vectors: sparse.csr_matrix,
    methods: Mapping[str, Method],
    share: float = 0.1,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Fitted:
    """Tunes on a held-out period, tests on the next one, then fits on all.

    Args:
        shop: all events.
        vectors: unit vectors of the items' texts, `[items, d]`.
        methods: methods to tune, test and mix, `TEXTS` among them.
        share: share of the events, for each of the two periods.
        seed: seed of the items hidden to act as new ones.
        say: called with a line as soon as something is known.
    """
    lines = []
    methods = _possible(shop, methods, lines)
    first, second = periods(shop, share)
    hidden = some_items(shop, seed)
    held = Period.of(shop, first, second)
    if not len(held.users):
        raise ValueError(
            "nobody with a history did anything new in the held-out period: "
            f"there are {len(shop.time):,} events of {len(shop.users):,} "
            "users; more events, or a larger share by --config.share=0.2, "
            "are needed"
        )
    settings, scores = _tuned(held, methods, say)
    plan = _weighted(held, settings, scores)
    cold = Period.of(shop, first, second, hidden)
    plan = _with_cold(cold, vectors, methods, plan)
    shown = ", ".join(f"{n} {w:g}" for n, w in plan.weights.items() if w)
    lines.append(f"Weights of the mix: {shown}")
    table, line = judged(shop, second, hidden, vectors, methods, plan)
    lines.append(line)
    everything = Past(shop, len(shop.time))
    return Fitted(Mix(everything, vectors, methods, plan), table, lines)


def weigh(shop: Shop, share: float) -> Shop:
    """Finds weights of the kinds of events on the held-out period.

    Tries one kind after the other, by the accuracy of item-kNN.

    Args:
        shop: shop with several kinds of events.
        share: see `fit`.
    """
    first, second = periods(shop, share)
    method, setting = METHODS["item-kNN"], {"count": 50}

    def gain(kinds):
        period = Period.of(shop.weighted(kinds), first, second)
        state = method.fit(period.past, **setting)
        scorer = _scorer(method, state, period, setting)
        return judging.judge(scorer, period)[_GOAL]

    kinds, best = dict(shop.kinds), gain(shop.kinds)
    for name in shop.kinds:
        for weight in _EVENTS:
            tried = kinds | {name: weight}
            found = gain(tried)
            if found > best:
                best, kinds = found, tried
    return shop.weighted(kinds)


def _possible(shop, methods, lines):
    """Returns the methods that memory and installed packages allow."""
    left = {}
    square = min(len(shop.items), len(shop.users))
    if square > MOST_SQUARE:
        why = f"{square:,} items or users are more than {MOST_SQUARE:,}"
        left |= {n: why for n, method in methods.items() if method.square}
    for name in {ALS} & set(methods):
        try:
            require("implicit.cpu.als", "recommender")
        except ValueError as error:
            left[name] = str(error)
    lines += [f"{name} is left out: {why}" for name, why in left.items()]
    return {n: method for n, method in methods.items() if n not in left}


def some_items(shop: Shop, seed: int = 0) -> np.ndarray:
    """Hides a share of the items; more if there are few, for lists of 20."""
    count = len(shop.items)
    hide = min(max(round(count * _HIDDEN), 5 * judging.SHOWN), count // 3)
    hidden = np.zeros(count, bool)
    hidden[np.random.default_rng(seed).permutation(count)[:hide]] = True
    return hidden


def _scorer(
    method: Method, state: Any, period: Period, setting: Mapping
) -> judging.Scores:
    rows = period.rows(setting.get("half_life", 0.0))
    return lambda part: method.score(state, rows[part], **setting)


def _tuned(period, methods, say):
    """Returns the best setting of each method, and its scores."""
    settings, scores = {}, {}
    for name, method in methods.items():
        states, best = {}, -1.0
        for setting in method.settings:
            key = tuple(setting[part] for part in method.fitted_by)
            if key not in states:
                states[key] = method.fit(period.past, **setting)
            scorer = _scorer(method, states[key], period, setting)
            found = judging.judge(scorer, period)[_GOAL]
            if found > best:
                best, settings[name], scores[name] = found, setting, scorer
        say(f"{name}: NDCG {best:.4f} in the held-out period")
    return settings, scores


def _weighted(period, settings, scores) -> Plan:
    """Finds the weights of the mix on the held-out period."""
    users = mixing.chosen_users(period, len(scores))
    parts = {
        name: np.concatenate(
            [
                mixing.standard(
                    np.float32(scorer(users[block])), period.past.warm
                )
                for block in judging.blocks(len(users))
            ]
        )
        for name, scorer in scores.items()
    }
    seen = period.rows()[users]
    weights, _ = mixing.learn(parts, period.wanted[users], seen)
    return Plan(settings, weights)


def _parts_of(mix, period, places):
    return mix.parts(lambda half_life: period.rows(half_life)[places])


def _mix_scorer(mix, period) -> judging.Scores:
    return lambda places: mix.carried(*_parts_of(mix, period, places))


def _with_cold(period, vectors, methods, plan) -> Plan:
    """Returns the plan that finds most hidden items in the held-out period."""
    mix = Mix(period.past, vectors, methods, plan)
    cold = np.flatnonzero(period.wanted[:, period.cold].getnnz(axis=1))
    if not len(cold):
        return plan
    period = dataclasses.replace(
        period, users=period.users[cold], wanted=period.wanted[cold]
    )
    part_of = functools.partial(_parts_of, mix, period)
    blocks = zip(*map(part_of, judging.blocks(len(cold))), strict=True)
    parts = [np.concatenate(part) for part in blocks]
    best, found = -1.0, plan
    for near in _NEAR:
        for share in _SHARES:
            tried = dataclasses.replace(plan, near=near, share=share)
            mix = Mix(period.past, vectors, methods, tried, mix.states)
            scores = mix.carried(*parts)
            recall = judging.judge_cold(scores.__getitem__, period)
            if recall > best:
                best, found = recall, tried
    return found


def judged(
    shop: Shop,
    second: int,
    hidden_items: np.ndarray,
    vectors: sparse.csr_matrix,
    methods: Mapping[str, Method],
    plan: Plan,
) -> tuple[dict[str, dict[str, float]], str]:
    """Makes the rows of the table, for the test period.

    Args:
        shop, vectors, methods: see `fit`.
        second: index of the first event of the test period.
        hidden_items: bool `[items]`, items hidden to act as new ones.
        plan: plan of the mix.

    Returns:
        The table, and a sentence about its data.
    """
    period = Period.of(shop, second, len(shop.time))
    hidden = Period.of(shop, second, len(shop.time), hidden_items)
    table = {}
    for name, method in methods.items():
        scorer = _fitted(method, period, plan.settings[name])
        # Without events there is no score, so such an item is never listed.
        table[name] = judging.judge(scorer, period) | {COLD: 0.0}
    texts = _fitted(methods[TEXTS], hidden, plan.settings[TEXTS])
    table[TEXTS][COLD] = judging.judge_cold(texts, hidden)
    mix, cold = (
        _mix_scorer(Mix(some.past, vectors, methods, plan), some)
        for some in (period, hidden)
    )
    cold_recall = {COLD: judging.judge_cold(cold, hidden)}
    line = (
        f"Judged on {len(period.users):,} users; {hidden_items.sum():,} items "
        "were hidden to stand for new ones"
    )
    return table | {MIX: judging.judge(mix, period) | cold_recall}, line


def _fitted(method, period, setting) -> judging.Scores:
    state = method.fit(period.past, **setting)
    return _scorer(method, state, period, setting)
