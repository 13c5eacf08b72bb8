"""byol_tf.jobs.processes."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from byol_tf.jobs import processes as child_runs
from byol_tf.jobs.processes import (
    ChildRun,
    last_line,
    run_children,
    stop_all,
)
from byol_tf.locks import FolderInUseError, owned_folder

# Tells that it is ready, and that it was asked to end.
PATIENT = """
import pathlib, signal, sys, time
def stop(*_):
    print("asked")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1], "ready").touch()
time.sleep(60)
"""
STUBBORN = PATIENT.replace("    sys.exit(0)\n", "")


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


def ended(child, seconds=20):
    deadline = time.monotonic() + seconds
    while child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child.status


def ready(folder, seconds=20):
    deadline = time.monotonic() + seconds
    while not (folder / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run_each(commands, folder, **options):
    """Runs commands; returns the children in the order of their ends."""
    waiting = iter(commands)
    done = []

    def next_child():
        command = next(waiting, None)
        return command and ChildRun(command, folder / str(id(command)))

    run_children(next_child, done.append, **{"workers": 1, **options})
    return done


def test_status_and_output_are_known_at_the_end(tmp_path):
    child = ChildRun(python("print('hello'); raise SystemExit(3)"), tmp_path)
    assert ended(child) == 3
    assert last_line(tmp_path) == "hello"


# A parent without TensorFlow, since a child's peak starts at its parent's.
SMALL_PARENT = """
import json, pathlib, sys, time, types
package = types.ModuleType("byol_tf")
package.__path__ = [sys.argv[1]]
sys.modules["byol_tf"] = package
from byol_tf.jobs.processes import ChildRun, read_cost
folder, costs = pathlib.Path(sys.argv[2]), []
codes = ["import time; time.sleep(0.3)"]
codes += ["import os; os.urandom(1) * 60_000_000", ""]
for code in codes:
    child = ChildRun([sys.executable, "-c", code], folder)
    while child.poll() is None:
        time.sleep(0.02)
    costs.append(read_cost(folder))
print(json.dumps(costs))
"""


def test_cost_adds_up_over_the_starts(tmp_path):
    package = pathlib.Path(child_runs.__file__).parent.parent
    done = subprocess.run(
        python(SMALL_PARENT, package, tmp_path), capture_output=True, check=True
    )
    idle, large, third = json.loads(done.stdout)
    assert [cost["starts"] for cost in (idle, large, third)] == [1, 2, 3]
    assert 0.3 <= idle["seconds"] < large["seconds"] < third["seconds"]
    assert idle["peak_memory_bytes"] < 40e6
    assert 60e6 < large["peak_memory_bytes"] < 100e6
    assert third["peak_memory_bytes"] == large["peak_memory_bytes"]


@pytest.mark.parametrize(
    "text,told",
    [
        ("one\ntwo\n\n", "two"),
        ("a  1%\ra  2%\r", "a  2%"),
        ("error: wrong field\nsome library says goodbye\n", "error: wrong"),
        ("", "no output"),
    ],
)
def test_the_last_line_is_the_one_that_tells(tmp_path, text, told):
    (tmp_path / "output.log").write_text(text)
    assert last_line(tmp_path).startswith(told)


def test_so_many_run_at_a_time_and_followers_take_their_place(tmp_path):
    sleepers = iter([python("import time; time.sleep(0.5)")] * 4)
    folders = iter("abcdef")
    running, most, followed = set(), 0, []

    def start(command):
        nonlocal most
        child = ChildRun(command, tmp_path / next(folders))
        running.add(child)
        most = max(most, len(running))
        return child

    def end(child):
        running.remove(child)
        if len(followed) < 2:
            followed.append(child)
            return start(python("pass"))
        return None

    def next_child():
        command = next(sleepers, None)
        return command and start(command)

    run_children(next_child, end, workers=2)
    assert most == 2 and not running
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("interrupt", ["exception", "SIGTERM"])
def test_an_interrupt_stops_the_children_first(tmp_path, interrupt):
    child = []

    def next_child():
        if not child:
            child.append(ChildRun(python(PATIENT, tmp_path), tmp_path))
            ready(tmp_path)
            return child[0]
        return None

    def watch(_):
        if interrupt == "exception":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_children(next_child, list, workers=1, watch=watch, watch_every=0)
    assert child[0].status == 0
    assert last_line(tmp_path) == "asked"
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_child_that_does_not_end_is_killed_in_the_end(tmp_path):
    child = ChildRun(python(STUBBORN, tmp_path), tmp_path)
    ready(tmp_path)
    stop_all([child], grace=0.5)
    assert ended(child) == -signal.SIGKILL


def test_a_child_that_outlives_its_parent_keeps_the_folder(tmp_path):
    context = owned_folder(tmp_path)
    lock = context.__enter__()
    command = python(PATIENT, tmp_path)
    child = ChildRun(command, tmp_path / "run", (lock,))
    ready(tmp_path)
    # As where the parent is killed: its descriptor goes, the file stays.
    os.dup2(os.open(os.devnull, os.O_RDONLY), lock)
    with (
        pytest.raises(FolderInUseError, match="in use by process"),
        owned_folder(tmp_path),
    ):
        pass
    stop_all([child])
    with owned_folder(tmp_path):
        pass
    context.__exit__(None, None, None)
