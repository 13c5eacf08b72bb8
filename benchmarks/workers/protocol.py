"""The worker's side of a contest: JSON lines on standard input and output.

    {"do": "prepare", "case": {...}}  ->  {"info": {...}}
    {"do": "go"}                      ->  {"units": 512, "seconds": 3.1}
    {"do": "finish"}                  ->  {"first_loss": 4.0, "last_loss": 2.1}

A failure is answered by {"error": "..."}, one line. Between two answers a
worker does nothing. Workers of peers run in another virtual environment, so
nothing here is imported but the standard library.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable

TRIES = 3  # timings of a piece, of which the shortest counts


class Repeated:
    """A piece of work, done as often as fills a round.

    Args:
        piece: does it, and returns when it is done; what it returns is the
            loss, or None.
        units: of work in a piece, such as images.
        seconds: that a round is to take.
        info: what to say of the worker, such as the variant that it chose.
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
        """One round."""
        start = time.perf_counter()
        for _ in range(self.pieces):
            loss = self.piece()
        seconds = time.perf_counter() - start
        self.last_loss = loss
        return {"units": self.units * self.pieces, "seconds": seconds}

    def finish(self) -> dict:
        """What tells whether the work was done rightly."""
        if self.first_loss is None:
            return {}
        return {"first_loss": self.first_loss, "last_loss": self.last_loss}


def shortest(piece: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of the fastest of some tries."""
    taken = []
    for _ in range(tries):
        start = time.perf_counter()
        piece()
        taken.append(time.perf_counter() - start)
    return min(taken)


def fastest(variants: dict[str, Callable[[], Callable]]) -> tuple:
    """The variant to compete with, tried once each and timed.

    Args:
        variants: by name, what makes the piece of work; one that fails to be
            made or to run is out.

    Returns:
        `(piece, info)`: the piece, and its name, what it returned first, and
        the seconds of all.

    Raises:
        RuntimeError: all failed.
    """
    pieces, firsts, seconds, failed = {}, {}, {}, {}
    for name, make in variants.items():
        try:
            pieces[name] = make()
            firsts[name] = pieces[name]()
            seconds[name] = round(shortest(pieces[name]), 5)
        except Exception as error:  # any a library or its compiler raises
            failed[name] = one_line(error)
    if not seconds:
        raise RuntimeError(f"no variant works: {failed}")
    best = min(seconds, key=seconds.get)
    info = {"variant": best, "tried": seconds, "failed": failed}
    return pieces[best], {**info, "first_loss": firsts[best]}


def one_line(error: Exception) -> str:
    """The error's type and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def versions(*packages: str) -> dict:
    """Installed versions of those packages that are there."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def serve(prepare: Callable[[dict], object], *packages: str) -> None:
    """Answers the parent until it hangs up.

    Args:
        prepare: from a case to something with `go`, `finish` and `info`.
        *packages: whose versions are told.
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
