"""The verb of `byol_tf system explore`."""

import pathlib

import numpy as np
from matplotlib.figure import Figure

from byol_tf.checks import check_integer, check_list
from byol_tf.files import to_json, write_text
from byol_tf.reports.drawing import save_png, style
from byol_tf.reports.report import format_table
from byol_tf.systems.explore.agent import counted, explore
from byol_tf.systems.explore.curiosity import Curiosity
from byol_tf.systems.explore.rooms import Rooms

# From the size of a view, a seed and the lessons to a reward, by its name.
KINDS = {
    "random walk": lambda *_: None,
    "counting visits": lambda *_: counted,
    "BYOL error": Curiosity,
}
FORMS = {"cells": "{:.0%}", "rooms": "{:.0f}"}  # what is counted
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
    least = {"rooms": 2, "side": 4, "steps": _POINTS, "lessons": 0}
    for name, low in least.items():
        check_integer(name, config[name], low)
    check_list("seeds", config.seeds, 0)
    steps = np.linspace(0, config.steps, _POINTS + 1).astype(int)[1:]
    result, pictures = {"steps": steps.tolist()}, {}
    for kind, make in KINDS.items():
        curves = []
        for seed in config.seeds:
            rooms = Rooms(config.rooms, config.side, seed)
            reward = make(rooms.views.shape[1], seed, config.lessons)
            first = explore(rooms, reward, config.steps, seed)
            curves.append(coverage(first, rooms.room_of, steps))
            pictures.setdefault(kind, (first, rooms.room_of))
        result[kind] = _figures(np.array(curves))
        print(f"{kind}: done", flush=True)
    write_text(folder / RESULT, to_json(result, indent=1))
    draw(result, pictures, folder / PICTURE)
    rows = [
        [kind]
        + [
            ", ".join(map(FORMS[n].format, row["seeds"]))
            for n, row in r.items()
        ]
        for kind, r in ((kind, result[kind]) for kind in KINDS)
    ]
    print(
        format_table(rows, ("reward", *(f"{name} entered" for name in FORMS)))
    )
    print(f"Picture: {folder / PICTURE}")


def coverage(first: np.ndarray, room_of: np.ndarray, steps) -> np.ndarray:
    """Returns the share of cells and the number of rooms entered before steps.

    Args:
        first: see `agent.explore`.
        room_of: see `Rooms`.
        steps: int `[n]`.

    Returns:
        float `[2, n]`.
    """
    seen = (first >= 0) & (first < np.reshape(steps, (-1, 1, 1)))
    doors = {room_of.max()}
    cells = seen.sum(axis=(1, 2)) / (room_of >= 0).sum()
    return np.array([cells, [len({*room_of[s]} - doors) for s in seen]])


def _figures(curves):
    """Returns mean and deviation over seeds, and each last value."""
    return {
        name: {
            "mean": values.mean(axis=0).tolist(),
            "deviation": values.std(axis=0).tolist(),
            "seeds": values[:, -1].tolist(),
        }
        for name, values in zip(FORMS, curves.swapaxes(0, 1), strict=True)
    }


def draw(result, pictures, path) -> None:
    """Draws when each cell was entered, and coverage over steps.

    Args:
        result: contents of `explore.json`.
        pictures: `first` and `room_of` of the first seed, by kind of reward.
        path: PNG file to write.
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    panels = figure.subplot_mosaic([[*KINDS], ["curves"] * len(KINDS)])
    curves, steps = panels.pop("curves"), result["steps"]
    for index, (kind, axes) in enumerate(panels.items()):
        first, room_of = pictures[kind]
        axes.imshow(room_of >= 0, cmap="gray", vmin=-0.5, vmax=1)
        shown = np.ma.masked_less(first, 0)
        image = axes.imshow(shown, cmap="viridis_r", vmin=0, vmax=steps[-1])
        y, x = np.nonzero(room_of >= 0)
        axes.set(title=kind, xticks=[], yticks=[])
        axes.set(xlim=(x.min() - 1.5, x.max() + 1.5))
        axes.set(ylim=(y.max() + 1.5, y.min() - 1.5))
        cells = result[kind]["cells"]
        mean, deviation = np.array(cells["mean"]), np.array(cells["deviation"])
        (line,) = curves.plot(steps, mean, **style(index), label=kind)
        band = mean - deviation, mean + deviation
        curves.fill_between(steps, *band, color=line.get_color(), alpha=0.2)
    figure.colorbar(image, ax=[*panels.values()], label="first step")
    curves.set(xlabel="steps", ylabel="share of cells entered", ylim=(0, 1))
    curves.legend()
    save_png(figure, path)
