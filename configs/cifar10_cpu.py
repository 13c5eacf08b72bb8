"""CIFAR-10 with a small encoder: about one hour on two CPU cores.

    python train.py --config=configs/cifar10_cpu.py --workdir=runs/cifar10_cpu \
        --config.data.dir=$HOME/tensorflow_datasets

Reached by seed 0 on two cores of an AMD EPYC that other light work shared, by
minutes of training; test images, kNN with 5,000 labelled images:

    minutes   epoch    kNN      linear    10 labels per class
          0       0    29.7 %   37.8 %    20.8 % (random encoder)
         15     9.8    41.8 %   50.7 %    34.4 % (the same steps run again)
         28      20    47.8 %   57.4 %    41.9 %
         61      50    53.1 %   60.8 %    46.8 %
"""

import math

from configs import cifar10


def get_config():
    config = cifar10.get_config()
    config.batch_size = 128
    config.epochs = 48
    config.precision = "auto"

    config.augment.area = (0.3, 1.0)
    config.augment.size = 24  # nine sixteenths of the pixels, and of the time
    config.augment.jitter = 0.4
    config.augment.grayscale = 0.1

    config.encoder.name = "slim"
    config.encoder.widths = (32, 64, 128, 256)
    config.encoder.stem = "strided"

    config.heads.hidden_size = 1024
    config.heads.projection_size = 256

    config.objective.normalize_projection = True
    config.objective.predictor_lr_multiplier = 10.0
    config.objective.tau = 0.97
    config.objective.tau_batch = 128

    config.optimizer.name = "adamw"
    # 2e-3 and 0.01 at a batch of 128.
    config.optimizer.lr_rule = "sqrt"
    config.optimizer.base_lr = 2e-3 * math.sqrt(2)
    config.optimizer.weight_decay = 1e-2 * math.sqrt(2)
    config.optimizer.warmup_epochs = 1.0

    config.monitor.every_epochs = 4
    config.checkpoint.every_seconds = 300.0
    return config
