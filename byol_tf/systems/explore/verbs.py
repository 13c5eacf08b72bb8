"""The verb of `byol_tf system explore`."""

import pathlib

import numpy as np
from matplotlib.figure import Figure

from byol_tf.checks import check_integer
from byol_tf.files import to_json, write_text
from byol_tf.reports.drawing import COLOURS, save_png
from byol_tf.reports.report import format_table
from byol_tf.systems.explore.agent import Reward, counted, explore
from byol_tf.systems.explore.curiosity import Curiosity
from byol_tf.systems.explore.rooms import Rooms

RANDOM, COUNTS, BYOL = "random walk", "counting visits", "BYOL error"
KINDS = (RANDOM, COUNTS, BYOL)
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
    check_integer("rooms", config.rooms, 2)
    check_integer("side", config.side, 4)
    check_integer("steps", config.steps, _POINTS)
    check_integer("lessons", config.lessons, 0)
    steps = np.linspace(0, config.steps, _POINTS + 1).astype(int)[1:]
    result, pictures = {"steps": steps.tolist()}, {}
    for kind in KINDS:
        curves = []
        for seed in config.seeds:
            rooms = Rooms(config.rooms, config.side, seed)
            reward = _reward(kind, rooms, seed, config.lessons)
            first = explore(rooms, reward, config.steps, seed)
            curves.append(coverage(first, rooms.room_of, steps))
            pictures.setdefault(kind, (first, rooms.room_of))
        result[kind] = _figures(np.array(curves))
        print(f"{kind}: done", flush=True)
    write_text(folder / RESULT, to_json(result, indent=1))
    draw(result, pictures, folder / PICTURE)
    print(_table(result))
    print(f"Picture: {folder / PICTURE}")


def _reward(kind, rooms, seed, lessons) -> Reward | None:
    if kind == BYOL:
        return Curiosity(rooms.views.shape[1], seed, lessons)
    return counted if kind == COUNTS else None


def coverage(first: np.ndarray, room_of: np.ndarray, steps) -> np.ndarray:
    """Returns the share of cells and of rooms entered before given steps.

    Args:
        first: see `agent.explore`.
        room_of: see `Rooms`.
        steps: int `[n]`.

    Returns:
        float `[2, n]`.
    """
    found = []
    for step in steps:
        seen = (first >= 0) & (first < step)
        rooms = set(room_of[seen]) - {room_of.max()}  # doors
        found.append((seen.sum() / (room_of >= 0).sum(), len(rooms)))
    return np.array(found).T


def _figures(curves):
    """Returns mean and deviation over seeds, and each last value."""
    return {
        name: {
            "mean": curves[:, place].mean(axis=0).tolist(),
            "deviation": curves[:, place].std(axis=0).tolist(),
            "seeds": curves[:, place, -1].tolist(),
        }
        for place, name in enumerate(("cells", "rooms"))
    }


def _table(result):
    rows = [
        [
            kind,
            *(
                ", ".join(
                    form.format(one) for one in result[kind][name]["seeds"]
                )
                for name, form in (("cells", "{:.0%}"), ("rooms", "{:.0f}"))
            ),
        ]
        for kind in KINDS
    ]
    return format_table(rows, ("reward", "cells entered", "rooms entered"))


def draw(result, pictures, path) -> None:
    """Draws when each cell was entered, and coverage over steps.

    Args:
        result: contents of `explore.json`.
        pictures: `first` and `room_of` of the first seed, by kind of reward.
        path: PNG file to write.
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    panels = figure.subplot_mosaic([[*KINDS], ["curves"] * len(KINDS)])
    steps = result["steps"]
    for kind, (first, room_of) in pictures.items():
        axes = panels[kind]
        shown = np.ma.masked_less(first, 0)
        axes.imshow(room_of >= 0, cmap="gray", vmin=-0.5, vmax=1)
        image = axes.imshow(shown, cmap="viridis_r", vmin=0, vmax=steps[-1])
        y, x = np.nonzero(room_of >= 0)
        edges = {"xlim": (x.min() - 1.5, x.max() + 1.5)}
        edges |= {"ylim": (y.max() + 1.5, y.min() - 1.5)}
        axes.set(title=kind, xticks=[], yticks=[], **edges)
    figure.colorbar(image, ax=[panels[k] for k in KINDS], label="first step")
    axes = panels["curves"]
    for kind, colour in zip(KINDS, COLOURS, strict=False):
        mean, deviation = (
            np.array(result[kind]["cells"][part])
            for part in ("mean", "deviation")
        )
        axes.plot(steps, mean, color=colour, label=kind)
        axes.fill_between(
            steps, mean - deviation, mean + deviation, color=colour, alpha=0.2
        )
    axes.set(xlabel="steps", ylabel="share of cells entered", ylim=(0, 1))
    axes.legend()
    save_png(figure, path)
