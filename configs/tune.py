"""Search for settings: every field, with unit.

    byol_tf tune runs/tune --config.base=quickstart

This runs 20 trainings, one after the other. Without labels:

    byol_tf tune runs/tune --config.objective=label_free

With another search space:

    byol_tf tune runs/tune \
        --config.space='(("objective.tau","float",0.9,0.999),)'
"""

import pathlib

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Recipe of all trials, as for `byol_tf pretrain --config`.
    config.base = str(pathlib.Path(__file__).parent / "quickstart.py")
    # Overrides for all trials. Short trials find settings for short trainings,
    # so compare the best ones again at full length.
    config.common = ("epochs=30", "monitor.every_epochs=3")
    # (field, log | float | int, low, high) or (field, choice, value, ...);
    # ("views",): the strength of the views, a field of the kind of data
    config.space = (
        ("optimizer.base_lr", "log", 1e-3, 3e-2),
        ("optimizer.weight_decay", "log", 1e-3, 0.3),
        ("objective.tau", "float", 0.95, 0.999),
        ("views",),
    )
    config.trials = 20  # in total, also when the search is continued
    config.workers = 1  # trainings at a time; each uses every core
    config.seed = 0  # of the sampler
    # knn: kNN accuracy on held-out training data; or label_free
    config.objective = "knn"

    config.prune = prune = ml_collections.ConfigDict()  # objective knn only
    prune.enabled = True  # stop trials below the median of the others
    prune.startup_trials = 5  # finished trials before any is stopped
    prune.warmup_epochs = 0  # epochs before a trial may be stopped

    config.label_free = label_free = ml_collections.ConfigDict()
    label_free.samples = 2000  # largest number of rows not trained on
    label_free.seed = 0  # of the choice of rows and of their views
    return config
