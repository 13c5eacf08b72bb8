"""Answers the messages of a contest: JSON lines on standard input and output.

    {"do": "prepare", "case": {...}}  ->  {"info": {...}}
    {"do": "go"}                      ->  {"units": 512, "seconds": 3.1}
    {"do": "finish"}                  ->  {"first_loss": 4.0, "last_loss": 2.1}

The answer to a failure is {"error": "..."}, one line. Between two messages a
worker is idle. Workers of peers run in another virtual environment, so this
module imports only the standard library.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable

TRIES = 3  # timings of a piece; the shortest counts


class Repeated:
    """Repeats a piece of work until a round is full.

    Args:
        piece: does the work and waits for its end; returns the loss, or None.
        units: units of work in a piece, such as images.
        seconds: wanted length of a round.
        info: facts about the worker, such as the chosen `variant`.
    """

    def __init__(
        self,
        piece: Callable[[], float | None],
        units: float,
        seconds: float,
        info: dict | None = None,
    ):
        self.piece = piece
        self.units = units
        self.info = info or {}
        self.last_loss = piece()
        self.first_loss = self.info.pop("first_loss", self.last_loss)
        self.pieces = max(1, round(seconds / shortest(piece)))

    def go(self) -> dict:
        """Does one round; returns its units and seconds."""
        start = time.perf_counter()
        for _ in range(self.pieces):
            loss = self.piece()
        seconds = time.perf_counter() - start
        self.last_loss = loss
        return {"units": self.units * self.pieces, "seconds": seconds}

    def finish(self) -> dict:
        """Returns the first and last loss, if there are losses."""
        if self.first_loss is None:
            return {}
        return {"first_loss": self.first_loss, "last_loss": self.last_loss}


def shortest(piece: Callable[[], object], tries: int = TRIES) -> float:
    """Returns the seconds of the fastest of some tries."""
    durations = []
    for _ in range(tries):
        start = time.perf_counter()
        piece()
        durations.append(time.perf_counter() - start)
    return min(durations)


def fastest(variants: dict[str, Callable[[], Callable]]) -> tuple:
    """Times each variant, and returns the fastest.

    Args:
        variants: by name, functions that make the piece of work; those that
            fail are left out.

    Returns:
        `(piece, info)`: the fastest piece, and its name (`variant`), first loss
        (`first_loss`), the seconds of all (`tried`), and errors (`failed`).

    Raises:
        RuntimeError: if all fail.
    """
    pieces, first_losses, seconds, errors = {}, {}, {}, {}
    for name, make in variants.items():
        try:
            pieces[name] = make()
            first_losses[name] = pieces[name]()
            seconds[name] = round(shortest(pieces[name]), 5)
        except Exception as error:  # any a library or its compiler raises
            errors[name] = one_line(error)
    if not seconds:
        raise RuntimeError(f"no variant works: {errors}")
    best = min(seconds, key=seconds.get)
    info = {"variant": best, "tried": seconds, "failed": errors}
    return pieces[best], {**info, "first_loss": first_losses[best]}


def one_line(error: Exception) -> str:
    """Returns an error's type and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def threads() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def versions(*packages: str) -> dict:
    """Returns the versions of the installed ones among some packages."""
    installed_versions = {}
    for package in packages:
        try:
            installed_versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed_versions


def serve(prepare: Callable[[dict], object], *packages: str) -> None:
    """Answers messages until standard input is closed.

    Args:
        prepare: from a case to an object with `go`, `finish` and `info`.
        *packages: packages whose versions are added to `info`.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    job = None
    for line in sys.stdin:
        message = json.loads(line)
        try:
            if message["do"] == "prepare":
                job = prepare(message["case"])
                answer = {"info": {**job.info, "versions": versions(*packages)}}
            else:
                answer = getattr(job, message["do"])()
        except Exception as error:  # the parent leaves this contestant out
            answer = {"error": one_line(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
