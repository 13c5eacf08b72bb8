"""Runs the trainings of a comparison, each in a process of its own."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

from byol_tf.checks import check_number
from byol_tf.jobs import processes as child_runs
from byol_tf.jobs.compare import results
from byol_tf.jobs.compare.plan import PlannedRun


@dataclasses.dataclass
class Comparison:
    """A comparison that is ready to go.

    Attributes:
        runs: in their order.
        command: gives the command of a training from its overrides and its
            run folder; the same command must go on with an interrupted one.
        workers: trainings at a time.
        config_text: shown in the page.
        tell: prints a line.
    """

    runs: Sequence[PlannedRun]
    command: Callable[[Sequence[str], pathlib.Path], Sequence[str]]
    workers: int
    config_text: str = ""
    tell: Callable[[str], None] = child_runs.tell

    def __post_init__(self):
        check_number("workers", self.workers, 1)

    def run(self, workdir) -> dict:
        """Runs what is not finished, and writes the tables.

        A training that fails does not end the others; it is tried again when
        the comparison is run again.

        Returns:
            What `compare.json` holds, see `results.summary`.
        """
        workdir = pathlib.Path(workdir)
        with child_runs.locked_folder(workdir) as lock:
            failed = self._run_missing(workdir, lock)
            result = results.summary(self.runs, workdir, failed)
            results.write(workdir, result, self.config_text)
        return result

    def _run_missing(self, workdir, lock):
        """Runs what is not finished; the last lines of what failed."""
        missing = [
            run
            for run in self.runs
            if not results.is_finished(workdir / run.folder)
        ]
        if len(missing) < len(self.runs):
            done = len(self.runs) - len(missing)
            self.tell(f"{done} of {len(self.runs)} runs are finished already.")
        waiting, started, failed = iter(missing), {}, {}
        clock = _Clock(len(missing))

        def next_child():
            run = next(waiting, None)
            if run is None:
                return None
            folder = workdir / run.folder
            self.tell(f"[{self._place(run)}] {run.name}: started")
            child = child_runs.ChildRun(
                self.command(run.overrides, folder), folder, (lock,)
            )
            started[child] = run
            return child

        def ended(child):
            run = started[child]
            told = _outcome(child)
            if child.status or not results.is_finished(child.folder):
                failed[run] = told
                told = f"failed: {told}"
            self.tell(f"[{self._place(run)}] {run.name}: {told}{clock.left()}")

        child_runs.work(next_child, ended, workers=self.workers)
        return failed

    def _place(self, run):
        return f"{self.runs.index(run) + 1}/{len(self.runs)}"


def failures(result: dict) -> list[str]:
    """A line for each run of a comparison that has failed."""
    return [
        f"{run['variant']}, seed {run['seed']}: {run['error']}"
        for run in result["runs"]
        if run["status"] == "failed"
    ]


def _outcome(child):
    """Accuracies and minutes, or why there are none."""
    if child.status:
        return child_runs.last_line(child.folder)
    if not results.is_finished(child.folder):
        return f"ended early: {child_runs.last_line(child.folder)}"
    numbers = results.run_numbers(child.folder)
    told = [
        f"{name} {100 * numbers[key]:.1f} %"
        for key, name in (
            ("knn_accuracy", "kNN"),
            ("linear_accuracy", "linear"),
        )
        if numbers[key] is not None
    ]
    return ", ".join([*told, f"{numbers['minutes']:.1f} minutes"])


class _Clock:
    """Tells the time that is left, from the runs that have ended."""

    def __init__(self, runs: int):
        self.runs, self.ended = runs, 0
        self.start = time.monotonic()

    def left(self) -> str:
        self.ended += 1
        if self.ended == self.runs:
            return ""
        spent = time.monotonic() - self.start
        minutes = spent / self.ended * (self.runs - self.ended) / 60
        return f"; about {minutes:.0f} minutes left"
