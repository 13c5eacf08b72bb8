"""A fitted recommender in a run folder, without anybody's history.

The folder holds what was learned; histories, texts, new items and new users
are read from the shop's files each time.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from byol_tf.data.interactions import read_shop
from byol_tf.files import to_json, whole_file, write_text
from byol_tf.systems.recommender import texts
from byol_tf.systems.recommender.fitting import Fitted
from byol_tf.systems.recommender.methods import (
    METHODS,
    TEXTS,
    Method,
    of_texts,
)
from byol_tf.systems.recommender.mix import Mix, Plan
from byol_tf.systems.recommender.past import Past

TABLE = "recommender.json"
_FOLDER, _PLAN = "recommender", "plan.json"


def save(fitted: Fitted, run: pathlib.Path) -> None:
    """Writes the table, the plan and the states that take long to make."""
    folder, mix = pathlib.Path(run) / _FOLDER, fitted.mix
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in mix.states.items():
        if mix.methods[name].saved:
            with whole_file(folder / f"{name}.npy") as path:
                np.save(path, state)
    plan = dataclasses.asdict(mix.plan) | {"items": list(mix.past.shop.items)}
    write_text(folder / _PLAN, to_json(plan))
    write_text(pathlib.Path(run) / TABLE, to_json(fitted.table, indent=2))


def load(
    data: str,
    run: pathlib.Path,
    others: Mapping[str, Method] | None = None,
    vectors: texts.Vectors = texts.tfidf,
) -> Mix:
    """Reads a recommender, and the shop as it is now.

    Args:
        data: folder of the shop.
        run: that `save` wrote to.
        others: methods beside those of `METHODS`, as when it was fitted.
        vectors: of texts, as when it was fitted.

    Raises:
        ValueError: there is no recommender, or the shop cannot be read.
    """
    folder = pathlib.Path(run) / _FOLDER
    if not (folder / _PLAN).is_file():
        raise ValueError(
            f"no recommender in {run} (looked for {_FOLDER}/{_PLAN}); fit one "
            f"with byol_tf system recommender fit --data={data} --run={run}"
        )
    about = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    shop = read_shop(data, known=about.pop("items"))
    plan, rows = Plan(**about), vectors(shop.texts)
    methods = {**METHODS, **(others or {}), TEXTS: of_texts(rows)}
    states = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name, weight in plan.weights.items()
        if weight and methods[name].saved
    }
    return Mix(Past(shop, len(shop.time)), rows, methods, plan, states)
