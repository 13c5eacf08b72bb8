"""Reads `metrics.jsonl`, which may be damaged."""

import math
import os
import pathlib
from typing import NamedTuple

from absl import logging

from byol_tf.files import parse_json

_REQUIRED_KEYS = ("step", "epoch", "seconds")


class Lines(NamedTuple):
    """The lines of a file, without an unfinished last one."""

    good: list[dict]
    damaged: list[tuple[int, bytes]]  # with line numbers from 1


def read_lines(path: str | os.PathLike) -> Lines:
    """Reads a `metrics.jsonl`; damaged lines raise no error."""
    result = Lines([], [])
    path = pathlib.Path(path)
    if not path.exists():
        return result
    *lines, rest = path.read_bytes().split(b"\n")
    if _parsed(rest):  # only its line break is missing
        lines.append(rest)
    for number, line in enumerate(lines, 1):
        entry = _parsed(line)
        if entry:
            result.good.append(entry)
        elif line.strip():
            result.damaged.append((number, line))
    return result


def read_metrics(path: str | os.PathLike) -> list[dict]:
    """Returns the entries of a `metrics.jsonl`; warns about damaged lines.

    Each has the numbers `step`, `epoch` and `seconds`. An unfinished last line
    is left out.
    """
    lines = read_lines(path)
    if lines.damaged:
        logging.warning("%s", damage_message(path, lines))
    return lines.good


def damage_message(path: str | os.PathLike, lines: Lines) -> str:
    """Describes which lines are damaged."""
    line_numbers = [str(number) for number, _ in lines.damaged]
    listed = ", ".join(line_numbers[:5]) + ", ..." * (len(line_numbers) > 5)
    return f"{path}: damaged and left out: line {listed}"


def _parsed(line):
    """Returns the entry of a line, or None."""
    try:
        entry = parse_json(line)
        usable = all(math.isfinite(entry[key]) for key in _REQUIRED_KEYS)
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return entry if usable else None
