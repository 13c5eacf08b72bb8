"""Lines from standard input, a growing file, or a folder of files."""

import pathlib
import sys
import time
from collections.abc import Iterator

from absl import logging

# Largest number of existing lines in one batch.
MOST = 256
Lines = list[bytes]


def batches(
    source: str, places: dict[str, int], poll_s: float, once: bool
) -> Iterator[Lines]:
    """Yields lines as they come, and empty lists while none do.

    Args:
        source: "-" for standard input, a file, or a folder of `.jsonl` files.
        places: bytes read per file; updated, so that a new process can continue
            where the last one ended.
        poll_s: seconds between two reads of the files.
        once: whether to stop at the end of the files.
    """
    if source == "-":
        yield from ([line] for line in sys.stdin.buffer)
        return
    while True:
        found = False
        for path in _files(pathlib.Path(source)):
            while lines := _more(path, places):
                found = True
                yield lines
        if once and not found:
            return
        if not found:
            yield []
            time.sleep(poll_s)


def _files(path):
    return sorted(path.glob("*.jsonl")) if path.is_dir() else [path]


def _more(path, places):
    """Reads the next complete lines of a file."""
    name = str(path)
    if path.stat().st_size < places.get(name, 0):
        logging.warning("%s is shorter than before: read from its start", path)
        places[name] = 0
    lines = []
    with open(path, "rb") as file:
        file.seek(places.get(name, 0))
        while len(lines) < MOST and (line := file.readline()).endswith(b"\n"):
            lines.append(line)
    places[name] = places.get(name, 0) + sum(map(len, lines))
    return lines
