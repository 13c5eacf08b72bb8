"""Saves a fitted plan in a run folder, without anybody's history.

Methods are fitted again on the shop's current files each time, with the saved
settings and weights, so that they know new items and users.
"""

import dataclasses
import json
import pathlib

from byol_tf.data.interactions import read_shop
from byol_tf.files import to_json, write_text
from byol_tf.systems.recommender.mix import Plan
from byol_tf.systems.recommender.parts import Parts, parts_of

_PLAN = "recommender/plan.json"


def save(plan: Plan, run: pathlib.Path) -> None:
    """Writes the plan."""
    path = pathlib.Path(run) / _PLAN
    path.parent.mkdir(parents=True, exist_ok=True)
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
    again = f"byol_tf system recommender fit --data={data} --run={run}"
    if not path.is_file():
        raise ValueError(
            f"no recommender in {run} (looked for {_PLAN}); fit one with "
            f"{again}"
        )
    try:
        plan = Plan(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged or of another version; make it anew by {again}"
        ) from error
    parts = parts_of(read_shop(data, plan.events), run, plan.texts)
    used = (name for name, weight in plan.weights.items() if weight)
    missing = [name for name in used if name not in parts.methods]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} is part of the mix, but {run} has no "
            "encoder.keras any more; fit again without it, or pretrain again"
        )
    tuned = {n: m for n, m in parts.methods.items() if n in plan.settings}
    return parts._replace(plan=plan, methods=tuned)
