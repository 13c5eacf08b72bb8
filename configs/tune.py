"""Search for settings: every field, with unit.

    byol_tf tune runs/tune --config.base=quickstart

20 trainings, one after the other. Where there are no labels:

    byol_tf tune runs/tune --config.objective=label_free

Another space can be said on the command line:

    byol_tf tune runs/tune \
        --config.space='(("objective.tau","float",0.9,0.999),)'
"""

import pathlib

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Configuration of all trials, a recipe as of `byol_tf pretrain`.
    config.base = str(pathlib.Path(__file__).parent / "quickstart.py")
    # Overrides of all trials. Short ones find settings for short trainings:
    # look at the best again at full length.
    config.common = ("epochs=30", "monitor.every_epochs=3")
    # (field, log | float | int, low, high) or (field, choice, value, ...)
    config.space = (
        ("optimizer.base_lr", "log", 1e-3, 3e-2),
        ("optimizer.weight_decay", "log", 1e-3, 0.3),
        ("objective.tau", "float", 0.95, 0.999),
        ("augment.area", "choice", (0.2, 1.0), (0.4, 1.0), (0.6, 1.0)),
    )
    config.trials = 20  # in all, over all starts
    config.workers = 1  # trainings at a time; each uses every core
    config.seed = 0  # of what is tried
    # knn: of held-out training images, by their labels; or label_free
    config.objective = "knn"

    config.prune = prune = ml_collections.ConfigDict()  # by kNN, if that rules
    prune.enabled = True  # end what is below the median of the others
    prune.startup_trials = 5  # finished before one may be ended
    prune.warmup_epochs = 0  # of a training before it may be ended

    config.label_free = label_free = ml_collections.ConfigDict()
    label_free.samples = 2000  # images it was not trained on, at most
    label_free.seed = 0  # of their choice and views
    return config
