"""Settings of a fine-tuning, as the configuration has them."""

from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.jobs.finetune.settings import Settings
from configs import finetune


def make_settings(**overrides) -> Settings:
    """The defaults of `configs/finetune.py`, and what is changed of them."""
    config = finetune.get_config()
    config.update_from_flattened_dict(overrides)
    return finetune_builders.settings(config)
