"""Saves a fitted plan in a run folder, without anybody's history.

Methods are fitted again on the shop's current files each time, with the saved
settings and weights, so that they know new items and users.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

from byol_tf.data.interactions import KINDS, read_shop
from byol_tf.files import to_json, write_text
from byol_tf.systems.recommender.mix import Mix, Plan
from byol_tf.systems.recommender.parts import parts_of
from byol_tf.systems.recommender.past import Past

_PLAN = "recommender/plan.json"


def save(plan: Plan, run: pathlib.Path) -> None:
    """Writes the plan."""
    path = pathlib.Path(run) / _PLAN
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, to_json(dataclasses.asdict(plan)))


def load(
    data: str, run: pathlib.Path, kinds: Mapping[str, float] = KINDS
) -> Mix:
    """Loads a recommender for the current files of a shop.

    Args:
        data: folder of the shop.
        run: folder that `save` wrote to.
        kinds: see `read_shop`.

    Raises:
        ValueError: if there is no recommender, or the shop cannot be read.
    """
    path = pathlib.Path(run) / _PLAN
    if not path.is_file():
        raise ValueError(
            f"no recommender in {run} (looked for {_PLAN}); fit one with "
            f"byol_tf system recommender fit --data={data} --run={run}"
        )
    about = json.loads(path.read_text(encoding="utf-8"))
    about.pop("items", None)  # of plans with factors beside them
    plan = Plan(**about)
    shop = read_shop(data, kinds={**kinds, **plan.events})
    wanted = [name for name, weight in plan.weights.items() if weight]
    parts = parts_of(shop, run, plan.texts, wanted)
    missing = [name for name in wanted if name not in parts.methods]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} is part of the mix, but {run} has no "
            "encoder.keras any more; fit again without it, or pretrain again"
        )
    past = Past(shop, len(shop.time))
    return Mix(past, parts.vectors, parts.methods, plan)
