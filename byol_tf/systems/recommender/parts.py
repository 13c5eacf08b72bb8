"""What a recommender is made of: texts, encoders, methods, and a saved plan.

A run folder holds the plan, without anybody's history. Methods are fitted again
on the shop's current files each time, so that they know new items and users.
"""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from byol_tf.data.interactions import Shop, read_shop
from byol_tf.files import to_json, write_text
from byol_tf.modalities.history.rows import NAME, key_of
from byol_tf.systems.common.encoder import encoder_of, load_modality_encoder
from byol_tf.systems.common.tfidf import Tfidf
from byol_tf.systems.recommender import methods
from byol_tf.systems.recommender.methods import POPULARITY, TEXTS, Method
from byol_tf.systems.recommender.mix import Mix, Plan
from byol_tf.systems.recommender.past import Past

BYOL, ENCODED = "BYOL", "text encoder"
_PLAN = "recommender/plan.json"
_BLOCK = 1024  # histories encoded at once


class Parts(NamedTuple):
    """A shop and all that its recommender is made of.

    Attributes:
        shop: all events.
        vectors: unit vectors of the items' texts, `[items, d]`.
        methods: methods to tune, test and mix, `TEXTS` among them.
        plan: settings and weights; None before `fitting.fit`.
    """

    shop: Shop
    vectors: sparse.csr_matrix
    methods: Mapping[str, Method]
    plan: Plan | None = None

    def mix(self, past: Past | None = None) -> Mix:
        """Fits the methods that the mix needs; None: on all events."""
        past = past or Past(self.shop, len(self.shop.time))
        scorers = {
            name: self.methods[name].fitted(past, self.plan.settings[name])
            for name, weight in self.plan.weights.items()
            if weight or name in (POPULARITY, TEXTS)
        }
        return Mix(past, self.vectors, self.plan, scorers)


def parts_of(shop: Shop, run: pathlib.Path, texts_run: str = "") -> Parts:
    """Assembles the parts, without a plan.

    Args:
        shop: the shop.
        run: folder that may have an encoder of histories.
        texts_run: folder with an encoder of texts; "": none.
    """
    vectors = tfidf(shop.texts)
    all_methods = {**methods.METHODS, TEXTS: methods.of_texts(vectors)}
    if (pathlib.Path(run) / "encoder.keras").is_file():
        load = functools.partial(load_modality_encoder, run, NAME)
        all_methods[BYOL] = of_encoder(load, shop.items)
    if texts_run:
        encoded = _encoder_vectors(texts_run, shop.texts)
        all_methods[ENCODED] = methods.of_texts(encoded)
        parts = vectors, sparse.csr_matrix(encoded)
        vectors = sparse.hstack(parts, "csr") * np.float32(0.5**0.5)
    return Parts(shop, vectors, all_methods)


def save(plan: Plan, run: pathlib.Path) -> None:
    """Writes the plan."""
    path = pathlib.Path(run) / _PLAN
    path.parent.mkdir(parents=True, exist_ok=True)
    if plan.texts:  # to be found from any working folder
        plan = dataclasses.replace(plan, texts=os.path.abspath(plan.texts))
    write_text(path, to_json(dataclasses.asdict(plan)))


def load(data: str, run: pathlib.Path) -> Parts:
    """Reads a plan and the current files of its shop.

    Args:
        data: folder of the shop.
        run: folder that `save` wrote to.

    Raises:
        ValueError: if there is no plan, or the shop cannot be read.
    """
    path = pathlib.Path(run) / _PLAN
    fit_command = f"byol_tf system recommender fit --data={data} --run={run}"
    if not path.is_file():
        raise ValueError(
            f"no recommender in {run} (looked for {_PLAN}); fit one with "
            f"{fit_command}"
        )
    try:
        plan = Plan(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged or of another version; make it anew by "
            f"{fit_command}"
        ) from error
    parts = parts_of(read_shop(data, plan.events), run, plan.texts)
    weighted = (name for name, weight in plan.weights.items() if weight)
    missing = [name for name in weighted if name not in parts.methods]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} is part of the mix, but {run} has no "
            "encoder.keras any more; fit again without it, or pretrain again"
        )
    tuned_methods = {
        n: m for n, m in parts.methods.items() if n in plan.settings
    }
    return parts._replace(plan=plan, methods=tuned_methods)


def tfidf(texts: Sequence[str]) -> sparse.csr_matrix:
    """Computes unit TF-IDF vectors; zeros for texts without words."""
    try:
        return Tfidf().fit(texts).rows(texts)
    except ValueError:
        return sparse.csr_matrix((len(texts), 1), dtype=np.float32)


def _encoder_vectors(run, texts):
    """Computes unit vectors by the encoder of a run; zeros for empty texts."""
    encode = encoder_of(pathlib.Path(run))
    if encode is None:
        raise ValueError(
            f"there is no encoder.keras in {run}; make one of texts by "
            f"byol_tf pretrain TEXTS {run}, or leave out --config.texts"
        )
    rows = encode(texts)
    rows[[not text for text in texts]] = 0
    return rows


def of_encoder(load: Callable[[], Any], items: Sequence[str]) -> Method:
    """Makes user-kNN with neighbours by the vectors of an encoder by BYOL.

    Args:
        load: loads the encoder, see `runs.encoder.Encoder`; called if needed.
        items: ids of the shop's items.
    """

    @functools.cache
    def loaded():
        encoder = load()
        keys = np.asarray(encoder.preprocessor.keys)
        item_keys = np.array([key_of(item) for item in items])
        positions = np.minimum(np.searchsorted(keys, item_keys), len(keys) - 1)
        known_items = np.flatnonzero(keys[positions] == item_keys)
        ones = np.ones(len(known_items), np.float32)
        shape = len(items), len(keys)
        selection = sparse.csr_matrix(
            (ones, (known_items, positions[known_items])), shape
        )
        return encoder.model, selection

    def vectors(rows):
        (model, selection), parts = loaded(), []
        for start in range(0, rows.shape[0], _BLOCK):
            block = normalize(rows[start : start + _BLOCK] @ selection)
            parts.append(np.asarray(model(block.toarray())))
        return np.concatenate(parts)

    def fit(past, half_life):
        histories = past.matrix(half_life)
        user_vectors = vectors(histories)
        mean = user_vectors.mean(axis=0)
        transposed = normalize(user_vectors - mean).T

        def score(rows, count, power):
            similarities = (
                normalize(vectors(rows(half_life)) - mean) @ transposed
            )
            return methods.by_users(similarities, histories, count, power)

        return score

    return methods.METHODS["user-kNN"]._replace(fit=fit)
