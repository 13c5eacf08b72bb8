"""Runs trainings in child processes: starts, watches, stops, measures."""

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
_POLL = 0.2  # seconds between two checks
tell = functools.partial(print, flush=True)  # unbuffered, also into a file
# Unit of ru_maxrss: kibibytes, on macOS bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class ChildRun:
    """A command that runs in a child process and works in a folder.

    Appends its output to `output.log` there. When it ends, `process.json` gets
    its cost over all starts: `seconds` of wall time, `peak_memory_bytes`
    (resident; at least that of this process, which a new one starts from) and
    `starts`. It has its own session, so that Ctrl-C on the terminal does not
    reach it before `stop_all`.

    Args:
        command: program and arguments.
        folder: its run folder, made if missing.
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
        self._start_time = time.monotonic()
        self.status: int | None = None

    def poll(self) -> int | None:
        """Returns the exit status, negative for a signal; None if running."""
        if self.status is None:
            # wait4 instead of Popen.poll, since it reports the child's memory.
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
        seconds = cost.get("seconds", 0.0) + time.monotonic() - self._start_time
        cost["seconds"] = round(seconds, 3)
        cost["peak_memory_bytes"] = max(cost.get("peak_memory_bytes", 0), peak)
        cost["starts"] = cost.get("starts", 0) + 1
        write_json(self.folder / COST, cost)


def run_children(
    next_child: Callable[[], ChildRun | None],
    on_end: Callable[[ChildRun], ChildRun | None],
    *,
    workers: int,
    watch: Callable[[ChildRun], None] = lambda child: None,
    watch_every: float = 5.0,
) -> None:
    """Runs `workers` children at a time until there are no more.

    On an exception, including Ctrl-C and SIGTERM, stops the running children
    first.

    Args:
        next_child: starts the next one; None if none is left.
        on_end: called with each that ended; may return a replacement.
        workers: children at a time.
        watch: called with each running child, every `watch_every` seconds.
        watch_every: seconds.
    """
    running, last_watch = [], time.monotonic()
    with sigterm_like_ctrl_c():
        try:
            while True:
                while len(running) < workers and (child := next_child()):
                    running.append(child)
                if not running:
                    return
                finished = [
                    child for child in running if child.poll() is not None
                ]
                for child in finished:
                    running.remove(child)
                    if follower := on_end(child):
                        running.append(follower)
                if time.monotonic() - last_watch >= watch_every:
                    for child in running:
                        watch(child)
                    last_watch = time.monotonic()
                time.sleep(0 if finished else _POLL)
        finally:
            stop_all(running)


def stop_all(children: Sequence[ChildRun], grace: float = GRACE) -> None:
    """Asks children to end, and kills those that have not after `grace` s.

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
    """Makes SIGTERM raise KeyboardInterrupt within the block, like Ctrl-C."""

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def read_cost(folder: pathlib.Path) -> dict:
    """Returns the contents of `process.json`, see `ChildRun`; {} if missing."""
    path = folder / COST
    return read_json(path) if path.exists() else {}


def last_line(folder: pathlib.Path) -> str:
    """Returns the last line of a child's output; of `error:` lines, if any."""
    path = folder / LOG
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 20_000))
        text = file.read().decode("utf-8", errors="replace")
    lines = [
        line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()
    ]
    errors = [line for line in lines[-20:] if line.startswith("error:")]
    return (errors or lines or ["no output"])[-1]


def merge_overrides(overrides: Iterable[str]) -> tuple[str, ...]:
    """Keeps the last override of each field.

    Args:
        overrides: "field=value" each.

    Raises:
        ValueError: if one has another form.
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
    """Returns a function from overrides and run folder to a command."""

    def command(overrides, folder):
        return [
            *train,
            f"--config={base}",
            *(f"--config.{override}" for override in overrides),
            f"--workdir={folder}",
        ]

    return command
