"""Our side of `python -m benchmarks pretrain`: CIFAR-10, slim encoder.

Encoder, heads and the measure of accuracy are the peer's. The schedules of
learning rate and tau follow the clock, and end with the budget of time.
"""

from configs import cifar10_minutes


def get_config():
    config = cifar10_minutes.get_config()
    config.encoder.widths = (16, 32, 64, 128)
    config.encoder.stem = "small"
    config.heads.hidden_size = 512
    config.heads.projection_size = 128
    return config
