"""A run of 50,000 steps of a tiny model, for `python -m benchmarks long`.

Anything that grows with the number of steps shows in minutes, not days.
"""

from configs import base


def get_config():
    config = base.get_config()
    config.batch_size = 16
    config.epochs = 80  # of 625 steps
    config.data.source = "embedded"
    config.augment.size = 12
    config.encoder.name = "slim"
    config.encoder.blocks = (1,)
    config.encoder.widths = (8,)
    config.heads.hidden_size = 16
    config.heads.projection_size = 8
    config.monitor.every_epochs = 8
    config.checkpoint.every_seconds = 5.0
    config.evaluate.max_train = 1000
    return config
