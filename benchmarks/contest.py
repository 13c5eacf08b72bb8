"""Runs contestants in their own processes, one at a time.

All are started and warmed up first. In every round each works in turn while the
others wait. Every round begins with another contestant, so that a machine that
slows down favours none.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = "ours"
NO_PEERS = "its Python is missing; `make peers` installs the peers"
PATIENCE = 1800.0  # seconds to wait for an answer: compilers are slow


class WorkerError(RuntimeError):
    """Raised if a worker fails; the message is the reason, in one line."""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One of the programs that are compared.

    Attributes:
        name: name in the tables; ours begin with `OURS`.
        module: module of `benchmarks.workers` that is its worker.
        interpreter: Python with the packages it needs, relative to the
            repository.
        case: settings besides those of the contest's case.
        unit: unit of its rates, if it is not the contest's: then it is a
            reference value and not compared.
    """

    name: str
    module: str
    interpreter: str = sys.executable
    case: dict = dataclasses.field(default_factory=dict)
    unit: str = ""

    @property
    def python(self) -> pathlib.Path:
        """Path of the interpreter."""
        return ROOT / self.interpreter

    @property
    def command(self) -> list[str]:
        """Command that starts the worker."""
        return [str(self.python), "-m", f"benchmarks.workers.{self.module}"]


@dataclasses.dataclass(frozen=True)
class Contest:
    """A measurement of several contestants.

    Attributes:
        title: title of the table.
        unit: unit of the rates, such as "images/s".
        case: settings for every worker, see `prepare` of the workers.
        contestants: the contestants.
    """

    title: str
    unit: str
    case: dict
    contestants: Sequence[Contestant]


class Worker:
    """The process of a contestant.

    Args:
        contestant: the contestant.

    Raises:
        WorkerError: if its interpreter is missing.
    """

    def __init__(self, contestant: Contestant):
        self.name = contestant.name
        if not contestant.python.exists():
            raise WorkerError(NO_PEERS)
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        self.process = subprocess.Popen(
            contestant.command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            start_new_session=True,
        )

    def ask(self, patience: float = PATIENCE, **message) -> dict:
        """Sends a message and waits for its answer.

        Raises:
            WorkerError: if the worker fails, ends, or is too slow.
        """
        try:
            self.process.stdin.write((json.dumps(message) + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise WorkerError(self._last_words()) from error
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise WorkerError(f"no answer within {patience:.0f} seconds")
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """Ends the process and those that it started."""
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()
        self.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _last_words(self):
        status = self.process.wait()
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").strip().splitlines()
        return f"ended with status {status}: {lines[-1] if lines else ''}"


def end(process: subprocess.Popen) -> None:
    """Ends a process that leads a session, and those that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def hold(
    contest: Contest, rounds: int, say: Callable[[str], None] = print
) -> dict:
    """Holds a contest.

    Args:
        contest: the contest.
        rounds: number of rounds.
        say: called with lines about progress and skipped contestants.

    Returns:
        `title`, `unit`, `case`, `order` (names in the order of their turns),
        `skipped` (reasons by name), and `entries` (results of `summarize` by
        name).
    """
    skipped = {}
    say(f"{contest.title}:")
    with contextlib.ExitStack() as stack:
        workers, facts = _prepare(contest, stack, skipped, say)
        answers, order = _rounds(workers, rounds, skipped, say)
        for name in list(workers):
            try:
                facts[name] |= workers[name].ask(do="finish")
            except WorkerError as error:
                _leave_out(name, error, workers, skipped, say)
    entries = {
        c.name: {**summarize(answers[c.name], facts[c.name]), "unit": c.unit}
        for c in contest.contestants
        if c.name in workers
    }
    for name, entry in entries.items():
        unit = entry["unit"] or contest.unit
        why_not = f", not counted: {entry['why_not']}"
        remark = "" if entry["counted"] else why_not
        say(f"  {name}: {entry['median']:.4g} {unit}{remark}")
    return {
        "title": contest.title,
        "unit": contest.unit,
        "case": {k: v for k, v in contest.case.items() if k != "folder"},
        "order": order,
        "skipped": skipped,
        "entries": entries,
    }


def summarize(answers: Sequence[dict], facts: dict) -> dict:
    """Returns rates of the rounds, their range, and whether they count.

    Where there are losses, the last must be below the first: a network that
    does not learn may be fast for the wrong reason.

    Args:
        answers: answers of the rounds, with `units` and `seconds`.
        facts: `info` of the worker, and what it answered at the end:
            `first_loss`, `last_loss`, and `wrong`, why its results are wrong.
    """
    rates = [answer["units"] / answer["seconds"] for answer in answers]
    why_not = facts.get("wrong", "")
    if facts.get("first_loss") is not None:
        first, last = facts["first_loss"], facts["last_loss"]
        if not last < first:  # also for NaN
            why_not = f"the loss went from {first:.3g} to {last:.3g}"
    return {
        "rates": rates,
        "median": statistics.median(rates),
        "low": min(rates),
        "high": max(rates),
        "counted": not why_not,
        "why_not": why_not,
        **facts,
    }


def chosen(contestants: Sequence[Contestant], only: str) -> list[Contestant]:
    """Returns those whose first word is in `--only`; all if it is empty.

    Raises:
        ValueError: if none is left.
    """
    names = {contestant.name.split()[0] for contestant in contestants}
    requested = set(filter(None, only.split(","))) or names
    if not requested & names:
        raise ValueError(
            f"--only must name some of {', '.join(sorted(names))}. "
            f"Received: {only}"
        )
    return [c for c in contestants if c.name.split()[0] in requested]


def ratios(result: dict) -> dict[str, float]:
    """Returns our best rate divided by that of each peer that counts."""
    counted = {
        name: entry["median"]
        for name, entry in result["entries"].items()
        if entry["counted"] and not entry["unit"]
    }
    ours = [rate for name, rate in counted.items() if is_ours(name)]
    if not ours:
        return {}
    return {
        name: max(ours) / rate
        for name, rate in counted.items()
        if not is_ours(name)
    }


def is_ours(name: str) -> bool:
    """Returns whether a contestant is this package."""
    return name.split()[0] == OURS


def _prepare(contest, stack, skipped, say):
    """Warms up one worker after another; returns them and their answers."""
    workers, facts = {}, {}
    for contestant in contest.contestants:
        start = time.monotonic()
        try:
            worker = stack.enter_context(Worker(contestant))
            case = {**contest.case, **contestant.case}
            facts[contestant.name] = worker.ask(do="prepare", case=case)
        except WorkerError as error:
            skipped[contestant.name] = str(error)
            say(f"  {contestant.name} is skipped: {error}")
            continue
        workers[contestant.name] = worker
        say(f"  {contestant.name}: ready in {time.monotonic() - start:.0f} s")
    return workers, facts


def _rounds(workers, rounds, skipped, say):
    """Returns the answers by name, and the order of the turns."""
    answers, order = {name: [] for name in workers}, []
    for number in range(rounds):
        for name in _rotated(list(workers), number):
            try:
                answers[name].append(workers[name].ask(do="go"))
                order.append(name)
            except WorkerError as error:
                _leave_out(name, error, workers, skipped, say)
    return answers, order


def _leave_out(name, error, workers, skipped, say):
    workers.pop(name).close()
    skipped[name] = str(error)
    say(f"  {name} is left out: {error}")


def _rotated(names, number):
    return [names[(i + number) % len(names)] for i in range(len(names))]
