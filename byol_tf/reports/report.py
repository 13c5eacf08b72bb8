"""The report of a run as one HTML file, and tables for the terminal."""

import base64
import importlib.resources
import math
import os
from collections.abc import Mapping, Sequence

import jinja2
import numpy as np

from byol_tf import files

# Columns of metrics.jsonl for time, not results.
_CLOCKS = ("step", "epoch", "seconds")
_GAP = " " * 3  # between columns


def format_table(rows: Sequence[Sequence], columns: Sequence[str]) -> str:
    """Lays out headings, a rule and rows in plain text.

    The first column is aligned left, the others right.

    Args:
        rows: cells of each row: strings as they are, floats with four
            significant digits, None as nothing.
        columns: headings, as many as a row has cells.

    Raises:
        ValueError: if a row has another number of cells.
    """
    cells = [list(map(str, columns)), *_cells(rows, columns)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        aligned = [first.ljust(widths[0])]
        pairs = zip(others, widths[1:], strict=True)
        aligned += [cell.rjust(width) for cell, width in pairs]
        lines.append(_GAP.join(aligned).rstrip())
    lines.insert(1, "-" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
    return "\n".join(lines)


def mean_and_std(values: Sequence[float]) -> dict | None:
    """Returns `mean` and sample `std` (None for one value); None for none."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": std} if len(values) else None


def write_csv(
    path: str | os.PathLike, fields: Sequence[str], rows: Sequence[Mapping]
) -> None:
    """Writes the fields of each row; missing ones stay empty."""
    lines = ([row.get(field, "") for field in fields] for row in rows)
    files.write_csv(path, [fields, *lines])


def write_report(
    path: str | os.PathLike,
    *,
    title: str,
    table: tuple[Sequence[str], Sequence[Sequence]],
    pictures: Mapping[str, bytes],
    metrics: Sequence[Mapping[str, float]] = (),
    config_text: str = "",
    notes: Sequence[str] = (),
    sounds: Sequence[tuple[str, bytes]] = (),
) -> None:
    """Writes one self-contained HTML file without scripts.

    Args:
        path: path of the file, written atomically.
        title: heading.
        table: `(columns, rows)` as for `format_table`, shown at the top.
        pictures: PNG bytes by their headings, in order.
        metrics: lines of `metrics.jsonl`; the report shows the first, last,
            smallest and largest value of each number.
        config_text: the configuration as text.
        notes: paragraphs below the table.
        sounds: captions and WAV files, to be played.

    Raises:
        ValueError: if a row has another number of cells than there are columns,
            or a picture is not PNG.
    """
    columns, rows = table
    for name, png in pictures.items():
        if not png.startswith(b"\x89PNG"):
            raise ValueError(
                "`pictures` must hold PNG bytes. "
                f"Received: {name!r} starting with {png[:8]!r}"
            )
    source = importlib.resources.files("byol_tf.reports") / "report.html"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.from_string(source.read_text(encoding="utf-8"))
    html = template.render(
        title=title,
        columns=columns,
        rows=_cells(rows, columns),
        notes=notes,
        pictures={
            name: base64.b64encode(png).decode("ascii")
            for name, png in pictures.items()
        },
        sounds=[
            (caption, base64.b64encode(wav).decode("ascii"))
            for caption, wav in sounds
        ],
        ranges=_ranges(metrics),
        config_text=config_text,
    )
    files.write_text(path, html)


def _cells(rows, columns):
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f"Every row must have {len(columns)} cells, one for each of "
                f"`columns`. Received: {tuple(row)}"
            )
    return [[_text(cell) for cell in row] for row in rows]


def _text(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _ranges(metrics):
    """Returns name, first, last, smallest and largest value of each number."""
    names = dict.fromkeys(key for line in metrics for key in line)
    ranges = []
    for name in names:
        values = [line[name] for line in metrics if name in line]
        # JSON has null for what is not finite.
        values = [math.nan if value is None else value for value in values]
        finite = [value for value in values if math.isfinite(value)]
        if name not in _CLOCKS and finite:
            row = (values[0], values[-1], min(finite), max(finite))
            ranges.append([name, *(_text(float(value)) for value in row)])
    return ranges
