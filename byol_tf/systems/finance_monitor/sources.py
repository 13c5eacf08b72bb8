"""Lines from standard input, a growing file, or a folder of files."""

import os
import pathlib
import sys
import time
from collections.abc import Iterator

from absl import logging

from byol_tf.files import parse_json

# Largest number of existing lines in one batch.
MAX_LINES = 256
_PIPE = 2**16  # bytes to read from a pipe at once
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
        yield from _read_pipe(sys.stdin.buffer)
        return
    source = os.path.abspath(source)  # `places` are of any working folder
    while True:
        has_lines = False
        for path in _files(pathlib.Path(source)):
            while lines := _read_lines(path, places):
                has_lines = True
                yield lines
        if once and not has_lines:
            _warn_of_rests(source, places)
            return
        if not has_lines:
            yield []
            time.sleep(poll_s)


def _files(path):
    return sorted(path.glob("*.jsonl")) if path.is_dir() else [path]


def _read_pipe(stream):
    """Yields lines of a pipe, as many as have come."""
    rest = b""
    while part := stream.read1(_PIPE):
        *lines, rest = (rest + part).split(b"\n")
        yield lines
    yield [rest]


def _read_lines(path, places):
    """Reads the next complete lines of a file."""
    name = str(path)
    if not path.exists():  # it is being replaced
        return []
    if path.stat().st_size < places.get(name, 0):
        logging.warning("%s is shorter than before: read from its start", path)
        places[name] = 0
    lines = []
    with open(path, "rb") as file:
        file.seek(places.get(name, 0))
        while len(lines) < MAX_LINES and _is_whole(line := file.readline()):
            lines.append(line)
    places[name] = places.get(name, 0) + sum(map(len, lines))
    return lines


def _warn_of_rests(source, places):
    """Names files that end in a line without an end, which is not read."""
    for path in filter(pathlib.Path.exists, _files(pathlib.Path(source))):
        if rest := path.stat().st_size - places.get(str(path), 0):
            logging.warning(
                "%s: its last %d bytes are not read, since they are no whole "
                "line of JSON",
                *(path, rest),
            )


def _is_whole(line):
    """Returns whether a line has an end, or is JSON that needs none."""
    if line.endswith(b"\n"):
        return True
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False
