"""Describes the machine, and measures memory and time of processes."""

import contextlib
import os
import pathlib
import platform
import subprocess
import threading
import time
from collections.abc import Iterator

from benchmarks.contest import ROOT

PERIOD = 0.5  # seconds between two measurements of memory
_PAGE = os.sysconf("SC_PAGE_SIZE")


def describe() -> dict:
    """Returns processor, cores, memory, system, load, date and commit."""
    return {
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "cores_used": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        # Above 1 at the start, other programs are running.
        "load_at_start": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
    }


def use_cores(count: int) -> None:
    """Limits this process, and those it will start, to a number of cores.

    Raises:
        ValueError: if there are fewer cores.
    """
    usable = sorted(os.sched_getaffinity(0))
    if not 0 <= count <= len(usable):
        raise ValueError(
            f"--cores must be at most {len(usable)}, or 0 for all of them. "
            f"Received: {count}"
        )
    if count:
        os.sched_setaffinity(0, usable[:count])


def memory(pid: int) -> tuple[int, int]:
    """Measures the memory of a process and its descendants, in bytes.

    Returns:
        `(rss, pss)`: the sum over processes, and the sum with shared pages
        counted once, which is fairer to forked workers.
    """
    rss = pss = 0
    for member in family(pid):
        with contextlib.suppress(OSError, ValueError):
            fields = pathlib.Path(f"/proc/{member}/statm").read_text().split()
            rss += int(fields[1]) * _PAGE
            pss += 1024 * int(
                _field(f"/proc/{member}/smaps_rollup", "Pss").split()[0]
            )
    return rss, pss


def processor_seconds(pid: int) -> float:
    """Returns processor seconds of a process and its descendants so far."""
    ticks = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{member}/stat").read_text()
            # Of the process itself, and of its ended descendants.
            ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Returns the ids of a process and all its descendants."""
    children = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold spaces.
                stat = (folder / "stat").read_text().rpartition(")")[2]
                parent = int(stat.split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    pids = [pid]
    for member in pids:
        pids += children.get(member, [])
    return pids


@contextlib.contextmanager
def peak_memory(pid: int) -> Iterator[dict]:
    """Yields a dict whose `rss` and `pss` are the peaks in the block."""
    peak, stop = {"rss": 0, "pss": 0}, threading.Event()

    def watch():
        while not stop.is_set():
            rss, pss = memory(pid)
            peak.update(rss=max(peak["rss"], rss), pss=max(peak["pss"], pss))
            stop.wait(PERIOD)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _field(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _commit():
    def git(*arguments):
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "byol_tf", "benchmarks")
        return git("rev-parse", "--short", "HEAD") + " +" * bool(changed)
    except FileNotFoundError:
        return ""
