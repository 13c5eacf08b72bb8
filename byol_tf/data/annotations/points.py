"""Checks points of a label table: bad ones are hidden, their rows stay."""

import dataclasses

import numpy as np

from byol_tf.data.annotations.check import SUSPECT
from byol_tf.data.label_table import LabelTable
from byol_tf.lines import number_of, some


def check_points(table: LabelTable) -> tuple[LabelTable, tuple[str, ...]]:
    """Empties the cells of points that lie outside of their images.

    Args:
        table: with columns `<name>_x` and `<name>_y` for points, as fractions
            of width and height.

    Returns:
        The table, and findings for the user. If most points lie outside, which
        indicates pixels, the table is returned as it came.
    """
    names = [c[:-2] for c in table.columns if c.endswith("_x")]
    names = [name for name in names if f"{name}_y" in table.columns]
    keys = [f"{name}{axis}" for name in names for axis in ("_x", "_y")]
    # Cells that are no numbers are empty, or an error of the task.
    values = [[number_of(v) for v in table.columns[key]] for key in keys]
    values = np.array(values).reshape(len(names), 2, len(table))
    with np.errstate(invalid="ignore"):
        outside = ((values < 0) | (values > 1)).any(axis=1)
    visible = ~np.isnan(values).any(axis=1)
    if not outside.any() or outside.sum() > SUSPECT * visible.sum():
        return table, ()
    columns = dict(table.columns)
    for key, is_outside in zip(keys, outside.repeat(2, axis=0), strict=True):
        pairs = zip(columns[key], is_outside, strict=True)
        columns[key] = tuple("" if bad else cell for cell, bad in pairs)
    rows = [table.paths[i] for i in np.flatnonzero(outside.any(axis=0))]
    line = (
        f"Hidden: {outside.sum()} points of {table.name} that lie outside of "
        f"their images, in {some(rows)}."
    )
    return dataclasses.replace(table, columns=columns), (line,)
