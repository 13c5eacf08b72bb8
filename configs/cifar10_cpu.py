"""CIFAR-10 with a small encoder: an hour on two CPU cores.

    byol_tf pretrain runs/cifar10_cpu --config=cifar10_cpu \
        --config.data.dir=$HOME/tensorflow_datasets

In an hour, seed 0, on two cores of an AMD EPYC with AVX-512, in bfloat16, this
reached on the test images (random encoder): kNN 66.5 % (29.7), linear 70.3 %
(37.8), ten labels per class 54.1 % (20.8). kNN uses 5,000 labelled images. Of
1,000 training images, by 4,000 others, it was right during that run for:

    minutes   4.3    10.4    20.4    30.1    40.1    49.6    60.2
    epoch       8      20      40      60      80     100     122
    kNN, %   45.4    54.3    59.8    63.3    65.4    66.6    67.5

Planned for twenty minutes (`--minutes=20`), seeds 0 to 2 reached a kNN accuracy
of 60.4, 61.1 and 61.6 % on the test images, in 19.0, 19.8 and 21.1 minutes.

Other machines take longer; `--minutes=60` plans as many epochs as fit. The
settings are those of `configs/cifar10_minutes.py` with views of 32 pixels, a
slower target and more weight decay. They were chosen on held-out training
images (docs/log/cifar10.md, An hour). The batch norm at the end of the
projector is not in BYOL's paper.
"""

from configs import cifar10


def get_config():
    config = cifar10.get_config()
    config.batch_size = 128
    config.epochs = 122
    config.precision = "auto"

    config.augment.area = (0.3, 1.0)
    config.augment.size = 32
    config.augment.jitter = 0.4
    config.augment.grayscale = 0.1

    config.encoder.name = "slim"
    config.encoder.widths = (32, 64, 128, 256)
    config.encoder.stem = "strided"

    config.heads.hidden_size = 1024
    config.heads.projection_size = 256

    config.objective.normalize_projection = True
    config.objective.predictor_lr_multiplier = 10.0
    config.objective.tau = 0.98

    config.optimizer.name = "adamw"
    config.optimizer.lr_rule = "none"
    config.optimizer.base_lr = 2e-3
    config.optimizer.weight_decay = 5e-2
    config.optimizer.warmup_epochs = 1.0

    config.monitor.every_epochs = 4
    config.checkpoint.every_seconds = 300.0
    return config
