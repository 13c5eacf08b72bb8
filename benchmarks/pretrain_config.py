"""Our side of `python -m benchmarks pretrain`: CIFAR-10, slim encoder.

Encoder, heads and the measure of accuracy are the peer's. The rest is made
for four minutes on two CPU cores and was chosen on 2,000 training images that
were held out. Learning rate and tau follow the clock: they end when the time
is over.
"""

from configs import cifar10_cpu


def get_config():
    config = cifar10_cpu.get_config()
    config.batch_size = 128

    config.augment.size = 20
    config.augment.jitter = 0.4
    config.augment.grayscale = 0.1

    config.encoder.widths = (16, 32, 64, 128)
    config.encoder.stem = "small"

    config.heads.hidden_size = 512
    config.heads.projection_size = 128

    config.objective.target_init = "copy"
    config.objective.normalize_projection = True
    config.objective.tau = 0.9
    return config
