"""Extracts the online encoder's arrays from an official checkpoint."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from byol_tf.jobs.convert import unpickle

# Parts of pretraining that are not needed afterwards.
HEADS = ("projector", "predictor", "classifier")
DECAY = 0.9  # decay of the official moving averages
AVERAGES = {"mean_ema": "mean", "var_ema": "variance"}
TOLERANCE = 1e-4  # of an average relative to its raw values


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The online encoder of a checkpoint.

    Attributes:
        root: the official name of the network, such as "res_net50".
        arrays: float32, by name below the root, such as "initial_conv/w" or
            "block_group_0/block_0/batchnorm_1/mean"; "mean", "variance" and
            "updates" of a norm are its moving statistics and their count.
        step: of pretraining, None if the file does not say.
    """

    root: str
    arrays: Mapping[str, np.ndarray]
    step: int | None = None


def load_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Reads the online encoder, without running anything of the file.

    Raises:
        ValueError: if the file is refused (see `unpickle.load`), or is not a
            pretraining checkpoint of the official code. One line.
        OSError: if it cannot be opened.
    """
    content = unpickle.load(path)
    state = content.get("experiment_state") if _is_map(content) else None
    if not _is_map(state) or not all(
        _is_map(state.get(key)) for key in ("online_params", "online_state")
    ):
        raise ValueError(
            f"{path} must be a pretraining checkpoint of the official code: "
            "an `experiment_state` with `online_params` and `online_state`. "
            f"Received: {_outline(content)}"
        )
    params = _encoder(state["online_params"])
    moving = _encoder(state["online_state"])
    root = _root([*params, *moving], path)
    arrays = {**_below(root, params), **_statistics(_below(root, moving))}
    step = content.get("step")
    return Checkpoint(root, arrays, None if step is None else int(step))


def _is_map(value):
    return isinstance(value, dict)


def _outline(content):
    if not _is_map(content):
        return type(content).__name__
    return f"a mapping of {', '.join(map(str, list(content)[:8]))}"


def _encoder(modules):
    """Flattens `{module: {variable: array}}` to `{module/variable: array}`.

    Leaves out the heads.
    """
    flat = {}
    for module, variables in modules.items():
        if not _is_map(variables):
            raise ValueError(f"`{module}` must be a mapping of arrays")
        for name, value in variables.items():
            if not isinstance(value, (np.ndarray, np.generic)):
                raise ValueError(f"`{module}/{name}` must be an array")
            if module.split("/")[0] not in HEADS:
                flat[f"{module}/{name}"] = np.asarray(value)
    return flat


def _root(keys, path):
    roots = sorted({key.split("/")[0] for key in keys})
    if len(roots) != 1:
        raise ValueError(
            f"{path} must hold one encoder beside {', '.join(HEADS)}. "
            f"Received: {', '.join(roots) or 'none'}"
        )
    return roots[0]


def _below(root, arrays):
    """Returns names below the root, without haiku's separators `~`."""
    by_short_name = {}
    for key, value in arrays.items():
        parts = [part for part in key.split("/") if part != "~"]
        by_short_name["/".join(parts[1:])] = value
    return by_short_name


def _statistics(moving):
    """Returns means, variances and counts of norms from haiku's averages."""
    averages = {}
    for key, value in moving.items():
        *norm, average, part = key.split("/")
        if average not in AVERAGES or part not in _PARTS:
            raise ValueError(f"`{key}` is not a part of a moving average")
        averages.setdefault(("/".join(norm), average), {})[part] = value
    statistics = {}
    for (norm, average), parts in averages.items():
        name = f"{norm}/{average}"
        statistics[f"{norm}/{AVERAGES[average]}"] = _debiased(name, parts)
        count = np.float32(parts["counter"])
        first_count = statistics.setdefault(f"{norm}/updates", count)
        if first_count != count:
            raise ValueError(f"`{norm}` counts mean and variance differently")
    return statistics


_PARTS = ("average", "counter", "hidden")


def _debiased(name, parts):
    """Returns the debiased average; checks it against the raw one."""
    if missing := [part for part in _PARTS if part not in parts]:
        raise ValueError(f"`{name}/{missing[0]}` is missing")
    average = np.asarray(parts["average"], np.float64)
    weight = 1.0 - DECAY ** float(parts["counter"])
    difference = np.linalg.norm(weight * average - parts["hidden"])
    if not difference <= TOLERANCE * np.linalg.norm(average):
        raise ValueError(
            f"`{name}` must be a debiased average of decay {DECAY}, and its "
            "raw and debiased values do not agree"
        )
    return average.astype(np.float32)
