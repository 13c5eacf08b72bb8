"""The verb of `byol_tf system explore`."""

import pathlib

import numpy as np
from matplotlib.figure import Figure

from byol_tf.checks import check_integer, check_list
from byol_tf.files import to_json, write_text
from byol_tf.reports.drawing import save_png, style
from byol_tf.reports.report import format_table
from byol_tf.systems.explore.agent import explore, visit_reward
from byol_tf.systems.explore.curiosity import Curiosity
from byol_tf.systems.explore.rooms import Rooms

# From the size of a view, a seed and the lessons to a reward, by its name.
REWARDS = {
    "random walk": lambda *_: None,
    "counting visits": lambda *_: visit_reward,
    "BYOL error": Curiosity,
}
FORMATS = {"cells": "{:.0%}", "rooms": "{:.0f}"}  # what is counted
RESULT, PICTURE = "explore.json", "explore.png"
_POINTS = 20  # points of a curve


def run(config, data: str | None, run: str) -> None:
    """Explores with each reward and seed; writes a table and a figure.

    Args:
        config: see `configs/explore.py`.
        data: not used.
        run: folder for `explore.json` and `explore.png`.
    """
    folder = pathlib.Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    minimums = {"rooms": 2, "side": 4, "steps": _POINTS, "lessons": 0}
    for name, low in minimums.items():
        check_integer(name, config[name], low)
    check_list("seeds", config.seeds, 0)
    steps = np.linspace(0, config.steps, _POINTS + 1).astype(int)[1:]
    result, pictures = {"steps": steps.tolist()}, {}
    for reward_name, make in REWARDS.items():
        curves = []
        for seed in config.seeds:
            rooms = Rooms(config.rooms, config.side, seed)
            reward = make(rooms.views.shape[1], seed, config.lessons)
            first_steps = explore(rooms, reward, config.steps, seed)
            curves.append(coverage(first_steps, rooms.room_of, steps))
            pictures.setdefault(reward_name, (first_steps, rooms.room_of))
        result[reward_name] = _figures(np.array(curves))
        print(f"{reward_name}: done", flush=True)
    write_text(folder / RESULT, to_json(result, indent=1))
    draw(result, pictures, folder / PICTURE)
    rows = [
        [reward_name]
        + [
            ", ".join(map(FORMATS[n].format, row["seeds"]))
            for n, row in r.items()
        ]
        for reward_name, r in (
            (reward_name, result[reward_name]) for reward_name in REWARDS
        )
    ]
    print(
        format_table(rows, ("reward", *(f"{name} entered" for name in FORMATS)))
    )
    print(f"Picture: {folder / PICTURE}")


def coverage(first_steps: np.ndarray, room_of: np.ndarray, steps) -> np.ndarray:
    """Returns the share of cells and the number of rooms entered before steps.

    Args:
        first_steps: see `agent.explore`.
        room_of: see `Rooms`.
        steps: int `[n]`.

    Returns:
        float `[2, n]`.
    """
    entered = (first_steps >= 0) & (first_steps < np.reshape(steps, (-1, 1, 1)))
    doors = {room_of.max()}
    cells = entered.sum(axis=(1, 2)) / (room_of >= 0).sum()
    return np.array([cells, [len({*room_of[s]} - doors) for s in entered]])


def _figures(curves):
    """Returns mean and deviation over seeds, and each last value."""
    return {
        name: {
            "mean": values.mean(axis=0).tolist(),
            "deviation": values.std(axis=0).tolist(),
            "seeds": values[:, -1].tolist(),
        }
        for name, values in zip(FORMATS, curves.swapaxes(0, 1), strict=True)
    }


def draw(result, pictures, path) -> None:
    """Draws when each cell was entered, and coverage over steps.

    Args:
        result: contents of `explore.json`.
        pictures: `first_steps` and `room_of` of the first seed, by reward.
        path: PNG file to write.
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    panels = figure.subplot_mosaic([[*REWARDS], ["curves"] * len(REWARDS)])
    curves, steps = panels.pop("curves"), result["steps"]
    for index, (reward_name, axes) in enumerate(panels.items()):
        first_steps, room_of = pictures[reward_name]
        axes.imshow(room_of >= 0, cmap="gray", vmin=-0.5, vmax=1)
        masked = np.ma.masked_less(first_steps, 0)
        image = axes.imshow(masked, cmap="viridis_r", vmin=0, vmax=steps[-1])
        y, x = np.nonzero(room_of >= 0)
        axes.set(title=reward_name, xticks=[], yticks=[])
        axes.set(xlim=(x.min() - 1.5, x.max() + 1.5))
        axes.set(ylim=(y.max() + 1.5, y.min() - 1.5))
        cells = result[reward_name]["cells"]
        mean, deviation = np.array(cells["mean"]), np.array(cells["deviation"])
        (line,) = curves.plot(steps, mean, **style(index), label=reward_name)
        band = mean - deviation, mean + deviation
        curves.fill_between(steps, *band, color=line.get_color(), alpha=0.2)
    figure.colorbar(image, ax=[*panels.values()], label="first step")
    curves.set(xlabel="steps", ylabel="share of cells entered", ylim=(0, 1))
    curves.legend()
    save_png(figure, path)
