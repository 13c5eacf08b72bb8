"""Lines of standard input, a growing file, or a folder of such."""

import pathlib
import sys
import time
from collections.abc import Iterator

from absl import logging

# Lines that are there already are given at once, at most this many.
MOST = 256
Lines = list[bytes]


def batches(
    source: str, places: dict[str, int], poll_s: float, once: bool
) -> Iterator[Lines]:
    """Gives lines as they come; empty lists while none do.

    Args:
        source: "-" for standard input, a file or a folder of `.jsonl` files.
        places: bytes read of each file; kept up to date, so that a process
            that is given them goes on where the last one ended.
        poll_s: seconds between two looks at files.
        once: whether to end where the files end.
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
    """The next whole lines of a file."""
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
