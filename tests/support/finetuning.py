"""Settings of a fine-tuning, as the configuration has them."""

from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.jobs.finetune.settings import Settings
from configs import base, finetune

TINY = {
    "batch_size": 16,
    "min_steps": 4,
    "max_steps": 4,
    "eval_every": 2,
    "learning_rates": (0.4, 0.1),
    "head_learning_rates": (2.0, 1.0),
}


def make_settings(**overrides) -> Settings:
    """The defaults of `configs/finetune.py`, and what is changed of them."""
    config = finetune.get_config()
    config.update_from_flattened_dict(overrides)
    return finetune_builders.settings(config)


def finetune_config(**overrides):
    """A fine-tuning of four steps."""
    config = finetune.get_config()
    config.update_from_flattened_dict({**TINY, **overrides})
    return config


def build(
    workdir,
    task="classification",
    labels=("10-per-class",),
    skips=False,
    **overrides,
):
    """The job of a fine-tuning of four steps, of the run in a folder."""
    return finetune_builders.fine_tuning(
        finetune_config(**overrides),
        workdir,
        base.get_config(),
        task=task,
        labels=labels,
        skips=skips,
    )
