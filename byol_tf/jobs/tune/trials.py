"""The trials of a search, each in its own processes."""

import pathlib

from byol_tf.files import read_json
from byol_tf.jobs import processes as child_runs
from byol_tf.jobs.tune.label_free import read_label_free
from byol_tf.training.metrics import read_metrics


class Trials:
    """Runs what is missing of a search: a training, then a measurement.

    Args:
        search: a `byol_tf.jobs.tune.run.Search`.
        study: its Optuna study.
        optuna: the library.
        workdir: folder of the search.
        lock: file descriptor that the processes keep open.
    """

    def __init__(self, search, study, optuna, workdir, lock):
        self.search, self.study = search, study
        self.workdir, self.lock = workdir, lock
        self.states = optuna.trial.TrialState
        # Trials that were running when an earlier process ended.
        self.interrupted = [
            optuna.trial.Trial(study, trial._trial_id)
            for trial in study.get_trials(states=(self.states.RUNNING,))
        ]
        self.training = {}  # trial by child
        self.measuring = {}  # trial by child
        self.reported = {}  # reported epochs, by child
        self.pruned = set()

    def run(self) -> None:
        child_runs.run_children(
            self._next,
            self._ended,
            workers=self.search.workers,
            watch=self._watch,
            watch_every=self.search.watch_every,
        )

    def _next(self):
        if self.interrupted:
            return self._start(self.interrupted.pop(0), "goes on")
        if len(self.study.trials) >= self.search.trials:
            return None
        return self._start(self.study.ask(), "started")

    def _start(self, trial, status):
        overrides = [
            f"{dimension.field}={dimension.suggest(trial)}"
            for dimension in self.search.space
        ]
        trial.set_user_attr("overrides", overrides)
        self._tell(trial, f"{status}: {' '.join(overrides)}")
        folder = self.workdir / f"trial{trial.number:04d}"
        command = self.search.train(overrides, folder)
        child = child_runs.ChildRun(command, folder, (self.lock,))
        self.training[child] = trial
        reported = self.study.trials[trial.number].intermediate_values
        self.reported[child] = set(reported)
        return child

    def _watch(self, child):
        """Stops a training that does poorly."""
        trial = self.training.get(child)
        if trial and self._report(child, trial) and trial.should_prune():
            self.pruned.add(child)
            child_runs.stop_all([child])

    def _report(self, child, trial):
        """Reports the accuracies of a training; returns whether any was new."""
        values = knn_by_epoch(child.folder)
        new_epochs = sorted(values.keys() - self.reported[child] - {0})
        for epoch in new_epochs:
            trial.report(values[epoch], epoch)
        self.reported[child].update(new_epochs)
        return bool(new_epochs)

    def _ended(self, child):
        """Starts the measurement of a finished training, or reports it."""
        if child in self.measuring:
            return self._finish(self.measuring.pop(child), child)
        trial = self.training.pop(child)
        self._report(child, trial)
        if (child.folder / "train.json").exists() and not child.status:
            command = self.search.measure(child.folder)
            follower = child_runs.ChildRun(command, child.folder, (self.lock,))
            self.measuring[follower] = trial
            return follower
        if child in self.pruned:
            self.study.tell(trial, state=self.states.PRUNED)
            return self._tell(trial, "ended: below the median of the others")
        return self._fail(trial, child_runs.last_line(child.folder))

    def _finish(self, trial, child):
        value = self.search.value(child.folder)
        reason = child_runs.last_line(child.folder)
        if value is None:
            reason = f"no {self.search.objective} to go by: {reason}"
            return self._fail(trial, reason)
        if child.status:
            self._tell(trial, f"not measured without labels: {reason}")
        for key, metric in trial_metrics(child.folder).items():
            trial.set_user_attr(key, metric)
        self.study.tell(trial, value)
        return self._tell(trial, f"{self.search.objective} {value:.4f}")

    def _fail(self, trial, reason):
        trial.set_user_attr("error", reason)
        self.study.tell(trial, state=self.states.FAIL)
        return self._tell(trial, f"failed: {reason}")

    def _tell(self, trial, line):
        number, total = trial.number + 1, self.search.trials
        self.search.tell(f"[{number}/{total}] trial {trial.number} {line}")


def knn_by_epoch(folder: pathlib.Path) -> dict[int, float]:
    """Returns kNN accuracy on held-out training images, by epochs done.

    What was measured within the first epoch has 0.
    """
    return {
        int(line["epoch"]): line["knn_accuracy"]
        for line in read_metrics(folder / "metrics.jsonl")
        if line.get("knn_accuracy") is not None
    }


def trial_metrics(folder: pathlib.Path) -> dict[str, float | None]:
    """Returns the numbers of a finished trial besides its value.

    Returns:
        `held_out_knn`; `knn_accuracy` and `linear_accuracy` on test images;
        `minutes`; and the numbers of `label_free_metrics`.
    """
    result = read_json(folder / "train.json")
    knn = knn_by_epoch(folder)
    return {
        "held_out_knn": knn[max(knn)] if knn else None,
        "knn_accuracy": result["after"].get("knn_accuracy"),
        "linear_accuracy": result["after"].get("linear_accuracy"),
        "minutes": result["training_seconds"] / 60,
        **read_label_free(folder),
    }
