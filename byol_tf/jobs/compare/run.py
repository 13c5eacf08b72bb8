"""Runs the trainings of a comparison, each in its own process."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

from byol_tf.checks import check_number
from byol_tf.jobs import processes as child_runs
from byol_tf.jobs.compare import results
from byol_tf.jobs.compare.plan import PlannedRun
from byol_tf.locks import owned_folder


@dataclasses.dataclass
class Comparison:
    """A comparison that is ready to run.

    Attributes:
        runs: runs in order.
        command: returns the command of a training for overrides and a run
            folder; the same command must continue an interrupted training.
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

        A failed training does not stop the others, and is repeated when the
        comparison is run again.

        Returns:
            The contents of `compare.json`, see `results.summary`.
        """
        workdir = pathlib.Path(workdir)
        with owned_folder(workdir) as lock:
            errors = self._run_missing(workdir, lock)
            result = results.summary(self.runs, workdir, errors)
            results.write(workdir, result, self.config_text)
        return result

    def _run_missing(self, workdir, lock):
        """Runs what is not finished; returns the last lines of failed runs."""
        missing = [
            run
            for run in self.runs
            if not results.is_finished(workdir / run.folder)
        ]
        if finished := len(self.runs) - len(missing):
            self.tell(
                f"{finished} of {len(self.runs)} runs are finished already."
            )
        remaining, ended_runs = iter(missing), []
        run_of_child, errors = {}, {}
        start = time.monotonic()

        def next_child():
            run = next(remaining, None)
            if run is None:
                return None
            folder = workdir / run.folder
            self.tell(f"[{self._position(run)}] {run.name}: started")
            child = child_runs.ChildRun(
                self.command(run.overrides, folder), folder, (lock,)
            )
            run_of_child[child] = run
            return child

        def on_end(child):
            run = run_of_child[child]
            ended_runs.append(run)
            outcome = _outcome(child)
            if child.status or not results.is_finished(child.folder):
                errors[run] = outcome
                outcome = f"failed: {outcome}"
            time_left = _time_left(start, len(ended_runs), len(missing))
            self.tell(
                f"[{self._position(run)}] {run.name}: {outcome}{time_left}"
            )

        child_runs.run_children(next_child, on_end, workers=self.workers)
        return errors

    def _position(self, run):
        return f"{self.runs.index(run) + 1}/{len(self.runs)}"


def failures(result: dict) -> list[str]:
    """Returns a line per failed run of a comparison."""
    return [
        f"{run['variant']}, seed {run['seed']}: {run['error']}"
        for run in result["runs"]
        if run["status"] == "failed"
    ]


def _outcome(child):
    """Returns accuracies and minutes, or why there are none."""
    if child.status:
        return child_runs.last_line(child.folder)
    if not results.is_finished(child.folder):
        return f"ended early: {child_runs.last_line(child.folder)}"
    metrics = results.run_metrics(child.folder)
    parts = [
        f"{name} {100 * metrics[f'{key}_accuracy']:.1f} %"
        for key, name in (("knn", "kNN"), ("linear", "linear"))
        if metrics[f"{key}_accuracy"] is not None
    ]
    return ", ".join([*parts, f"{metrics['minutes']:.1f} minutes"])


def _time_left(start, num_ended, num_runs):
    """Estimates the time left from the number of finished runs."""
    if num_ended == num_runs:
        return ""
    minutes = (
        (time.monotonic() - start) / num_ended * (num_runs - num_ended) / 60
    )
    return f"; about {minutes:.0f} minutes left"
