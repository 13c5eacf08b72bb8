"""Searches the settings of a training with Optuna."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from byol_tf.checks import check_choice, check_number, require
from byol_tf.jobs import processes as child_runs
from byol_tf.jobs.tune import results
from byol_tf.jobs.tune.label_free import read_label_free
from byol_tf.jobs.tune.space import Dimension
from byol_tf.jobs.tune.trials import Trials, knn_by_epoch
from byol_tf.locks import owned_folder

STORAGE, STUDY = "tune.sqlite3", "tune"
OBJECTIVES = ("knn", "label_free")


@dataclasses.dataclass
class Search:
    """A search that is ready to run.

    The kNN accuracy of a trial is the last one its training logged, on held-out
    training images, so that test images choose nothing.

    Attributes:
        space: the search space.
        train: returns the command of a training for overrides and a run folder;
            the same command must continue an interrupted training.
        measure: returns the command that writes `label_free.json` into a
            finished run folder.
        best_config: returns the text of a configuration file for overrides.
        objective ... warmup_epochs: fields of `configs/tune.py`, explained
            there; `prune`, `startup_trials` and `warmup_epochs` are in its
            section `prune`. A label-free search ignores kNN and stops no trial.
        identity: settings shared by all trials of a folder, as texts by name.
        watch_every: seconds between two checks of a training.
        tell: prints a line.
    """

    space: Sequence[Dimension]
    train: Callable[[Sequence[str], pathlib.Path], Sequence[str]]
    measure: Callable[[pathlib.Path], Sequence[str]]
    best_config: Callable[[Sequence[str]], str]
    objective: str
    trials: int
    workers: int
    seed: int
    prune: bool
    startup_trials: int
    warmup_epochs: int
    identity: Mapping[str, str] = dataclasses.field(default_factory=dict)
    watch_every: float = 5.0
    tell: Callable[[str], None] = child_runs.tell

    def __post_init__(self):
        check_choice("objective", self.objective, OBJECTIVES)
        check_number("trials", self.trials, 1)
        check_number("workers", self.workers, 1)
        check_number("seed", self.seed, 0)
        check_number("prune.startup_trials", self.startup_trials, 0)
        check_number("prune.warmup_epochs", self.warmup_epochs, 0)

    def run(self, workdir) -> dict:
        """Runs the missing trials, and writes the results.

        Continues interrupted trials first, in their folders. Failed trials are
        not repeated.

        Returns:
            The contents of `tune.json`, see `results.summary`.

        Raises:
            ValueError: if Optuna is not installed, the folder holds another
                search, or no trial finished. One line.
        """
        optuna, workdir = require("optuna", "tune"), pathlib.Path(workdir)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with owned_folder(workdir) as lock:
            study = self._study(optuna, workdir)
            self._check_identity(study, workdir)
            Trials(self, study, optuna, workdir, lock).run()
            result = results.summary(study, self.objective)
            if result["best"] is None:
                raise ValueError(
                    f"none of {len(study.trials)} trials in {workdir} could "
                    f"be finished; the last: {result['trials'][-1]['error']}"
                )
            overrides = result["trials"][result["best"]]["overrides"]
            text = self.best_config(overrides)
            results.write(workdir, result, text)
        return result

    def value(self, folder: pathlib.Path) -> float | None:
        """Returns the objective of a finished run folder; None if unknown."""
        if self.objective == "label_free":
            return read_label_free(folder).get("score")
        values = knn_by_epoch(folder)
        return values[max(values)] if values else None

    def _study(self, optuna, workdir):
        study = optuna.create_study(
            study_name=STUDY,
            storage=f"sqlite:///{(workdir / STORAGE).resolve()}",
            direction="maximize",
            load_if_exists=True,
        )
        # Other random numbers after a restart, since the first were tried.
        rng = np.random.default_rng((self.seed, len(study.trials)))
        study.sampler = optuna.samplers.TPESampler(
            seed=int(rng.integers(2**31)), constant_liar=self.workers > 1
        )
        if self.prune and self.objective == "knn":
            study.pruner = optuna.pruners.MedianPruner(
                self.startup_trials, self.warmup_epochs
            )
        else:
            study.pruner = optuna.pruners.NopPruner()
        return study

    def _check_identity(self, study, workdir):
        saved = study.user_attrs.get("identity")
        if saved is None:
            study.set_user_attr("identity", dict(self.identity))
            return
        names = sorted(saved.keys() | self.identity.keys())
        changed_names = [
            n for n in names if saved.get(n) != self.identity.get(n)
        ]
        if changed_names:
            raise ValueError(
                f"{workdir} holds another search: {', '.join(changed_names)} "
                "changed; set it as it was, or choose another --workdir"
            )
