"""The trainings of a comparison: variants, a grid, seeds."""

import dataclasses
import itertools
import pathlib
import re
from collections.abc import Mapping, Sequence

from byol_tf.checks import check_different, check_list
from byol_tf.jobs.processes import merge_overrides


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One training of a comparison.

    Attributes:
        variant: name in tables.
        seed: seed of the training.
        overrides: "field=value" as on the command line, without `--config.`.
        folder: run folder below that of the comparison.
    """

    variant: str
    seed: int
    overrides: tuple[str, ...]
    folder: pathlib.PurePath

    @property
    def name(self) -> str:
        return f"{self.variant}, seed {self.seed}"


def plan(
    variants: Sequence[Sequence[str]],
    grid: Sequence[Sequence],
    seeds: Sequence[int],
    common: Sequence[str] = (),
) -> list[PlannedRun]:
    """Returns every variant at every point of the grid with every seed.

    Seeds are the outer loop, so that after the first one every variant has a
    result.

    Args:
        variants: each a name and its overrides.
        grid: each a field and its values; all combinations are run.
        seeds: seeds of the trainings.
        common: overrides for all; a variant's own come after them.

    Raises:
        ValueError: for an invalid entry, or if two variants would have the same
            folder. One line.
    """
    check_list("seeds", seeds, 0)
    overrides_by_name = {}
    for name, overrides in _overrides_by_name(variants).items():
        for point in _points(grid):
            full_name = ", ".join(filter(None, (name, *point))) or "base"
            overrides_by_name[full_name] = merge_overrides(
                [*common, *overrides, *point]
            )
            _refuse_seed(overrides_by_name[full_name])
    folders = {name: _folder(name) for name in overrides_by_name}
    check_different("folders of variants", list(folders.values()))
    return [
        PlannedRun(
            name,
            seed,
            (*overrides, f"seed={seed}"),
            pathlib.PurePath(folders[name], f"seed{seed}"),
        )
        for seed in seeds
        for name, overrides in overrides_by_name.items()
    ]


def _overrides_by_name(variants) -> Mapping[str, Sequence[str]]:
    for entry in variants:
        is_valid = isinstance(entry, tuple | list) and len(entry) > 0
        if not is_valid or not all(
            isinstance(part, str) and part for part in entry
        ):
            raise ValueError(
                "`variants` must hold entries (name, override, ...), such as "
                f"('slow target', 'objective.tau=0.999'). Received: {entry!r}"
            )
    check_different("names of variants", [name for name, *_ in variants])
    return {name: tuple(rest) for name, *rest in variants} or {"": ()}


def _points(grid):
    """Returns the overrides of each point; one empty point without a grid."""
    for entry in grid:
        is_valid = isinstance(entry, tuple | list) and len(entry) > 1
        if not is_valid or not isinstance(entry[0], str):
            raise ValueError(
                "`grid` must hold entries (field, value, ...), such as "
                f"('objective.tau', 0.9, 0.99). Received: {entry!r}"
            )
    axes = [[f"{key}={value}" for value in values] for key, *values in grid]
    return list(itertools.product(*axes))


def _refuse_seed(overrides):
    for override in overrides:
        if override.startswith("seed="):
            raise ValueError(
                "`seeds` sets the seed of every run; leave out seed=. "
                f"Received: {override!r}"
            )


def _folder(name):
    safe = re.sub(r"[^\w.=+-]+", "_", name).strip("._")
    if not safe:
        raise ValueError(
            "the name of a variant must have a letter or digit. "
            f"Received: {name!r}"
        )
    return safe
