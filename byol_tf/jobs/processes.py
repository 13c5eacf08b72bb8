"""Trainings in processes of their own: started, watched, stopped, measured."""

import contextlib
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from byol_tf.files import read_json, write_json

LOG, COST = "output.log", "process.json"
GRACE = 60.0  # seconds for a checkpoint before a process is killed
_POLL = 0.2  # seconds between two looks
tell = functools.partial(print, flush=True)  # at once, also into a file
# Of ru_maxrss: kibibytes, on macOS bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class ChildRun:
    """A command that works in a folder, as a process of its own.

    Appends its output to `output.log` there. At its end `process.json` has its
    cost over all its starts: `seconds` of wall time, `peak_memory_bytes`
    (resident; at least what this process had, where a new one starts from) and
    `starts`. It has a session of its own, so that Ctrl-C on the terminal does
    not reach it before `stop_all` does.

    Args:
        command: program and arguments.
        folder: its run folder; made if it is not there.
        keep_open: file descriptors that it inherits, see `owned_folder`.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: pathlib.Path,
        keep_open: Sequence[int] = (),
    ):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / LOG, "ab") as log:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=keep_open,
            )
        self._started = time.monotonic()
        self.status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        if self.status is None:
            # wait4 and not Popen.poll: it tells the memory of this child.
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                self._process.returncode = self.status
                self._add_cost(usage.ru_maxrss * _RSS_UNIT)
        return self.status

    def signal(self, number: int) -> None:
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def _add_cost(self, peak):
        cost = read_cost(self.folder)
        seconds = cost.get("seconds", 0.0) + time.monotonic() - self._started
        cost["seconds"] = round(seconds, 3)
        cost["peak_memory_bytes"] = max(cost.get("peak_memory_bytes", 0), peak)
        cost["starts"] = cost.get("starts", 0) + 1
        write_json(self.folder / COST, cost)


def work(
    next_child: Callable[[], ChildRun | None],
    ended: Callable[[ChildRun], ChildRun | None],
    *,
    workers: int,
    watch: Callable[[ChildRun], None] = lambda child: None,
    watch_every: float = 5.0,
) -> None:
    """Runs `workers` children at a time until there are no more.

    An exception, Ctrl-C and SIGTERM among them, first stops those that run.

    Args:
        next_child: starts the next one; None if none is left.
        ended: called with each that ended; may return one that takes its place.
        workers: children at a time.
        watch: called with each that runs, every `watch_every` seconds.
        watch_every: seconds.
    """
    running, watched = [], time.monotonic()
    with sigterm_like_ctrl_c():
        try:
            while True:
                while len(running) < workers and (child := next_child()):
                    running.append(child)
                if not running:
                    return
                done = [child for child in running if child.poll() is not None]
                for child in done:
                    running.remove(child)
                    if follower := ended(child):
                        running.append(follower)
                if time.monotonic() - watched >= watch_every:
                    for child in running:
                        watch(child)
                    watched = time.monotonic()
                time.sleep(0 if done else _POLL)
        finally:
            stop_all(running)


def stop_all(children: Sequence[ChildRun], grace: float = GRACE) -> None:
    """Asks children to end, and kills those that have not after `grace`.

    A training that gets SIGTERM writes a checkpoint and ends.
    """
    try:
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if all([child.poll() is not None for child in children]):
                return
            time.sleep(_POLL)
    finally:
        for child in children:
            child.signal(signal.SIGKILL)


@contextlib.contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt in the block, which Ctrl-C does."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def read_cost(folder: pathlib.Path) -> dict:
    """What `process.json` holds, see `ChildRun`; empty if there is none."""
    path = folder / COST
    return read_json(path) if path.exists() else {}


def last_line(folder: pathlib.Path) -> str:
    """The last line of a child's output: of those with `error:`, if any."""
    path = folder / LOG
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 20_000))
        text = file.read().decode("utf-8", errors="replace")
    lines = [
        line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()
    ]
    errors = [line for line in lines[-20:] if line.startswith("error:")]
    return (errors or lines or ["no output"])[-1]


def merged(overrides: Iterable[str]) -> tuple[str, ...]:
    """One value for each field: the last of several.

    Args:
        overrides: "field=value".

    Raises:
        ValueError: one reads otherwise.
    """
    values = {}
    for override in overrides:
        field, equals, value = str(override).partition("=")
        if not (field and equals):
            raise ValueError(
                "an override must read field=value, such as "
                f"objective.tau=0.99. Received: {override!r}"
            )
        values[field] = value
    return tuple(f"{field}={value}" for field, value in values.items())


def train_command(train: Sequence[str], base: str) -> Callable:
    """Gives the command of a training from its overrides and run folder."""

    def command(overrides, folder):
        return [
            *train,
            f"--config={base}",
            *(f"--config.{override}" for override in overrides),
            f"--workdir={folder}",
        ]

    return command
