"""A fitted recommender in a run folder, without anybody's history.

The folder holds what was learned; histories, texts, new items and new users
are read from the shop's files each time.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from byol_tf.data.interactions import KINDS, read_shop
from byol_tf.files import to_json, whole_file, write_text
from byol_tf.systems.recommender.mix import Mix, Plan
from byol_tf.systems.recommender.parts import parts_of
from byol_tf.systems.recommender.past import Past

_FOLDER, _PLAN = "recommender", "plan.json"


def save(mix: Mix, run: pathlib.Path) -> None:
    """Writes the plan, and the states that take long to make."""
    folder = pathlib.Path(run) / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in mix.states.items():
        if mix.methods[name].saved:
            with whole_file(folder / f"{name}.npy") as path:
                np.save(path, state)
    plan = dataclasses.asdict(mix.plan) | {"items": list(mix.past.shop.items)}
    write_text(folder / _PLAN, to_json(plan))


def load(
    data: str, run: pathlib.Path, kinds: Mapping[str, float] = KINDS
) -> Mix:
    """Reads a recommender, and the shop as it is now.

    Args:
        data: folder of the shop.
        run: that `save` wrote to.
        kinds: see `read_shop`.

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
    shop = read_shop(data, known=about.pop("items"), kinds=kinds)
    plan = Plan(**about)
    wanted = [name for name, weight in plan.weights.items() if weight]
    parts = parts_of(shop, run, plan.texts, wanted)
    states = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in wanted
        if name in parts.methods and parts.methods[name].saved
    }
    past = Past(shop, len(shop.time))
    return Mix(past, parts.vectors, parts.methods, plan, states)
