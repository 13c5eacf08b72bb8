"""CIFAR-10 on two CPU cores, in some seven minutes instead of an hour.

    byol_tf pretrain runs/cifar10_minutes --config=cifar10_minutes \
        --config.data.dir=$HOME/tensorflow_datasets

A narrower encoder (widths 16 to 128, `benchmarks/pretrain_config.py`) reached a
kNN accuracy of 46.2, 45.8 and 44.2 % on test images (seeds 0 to 2) after four
minutes on two cores of an Intel Xeon. Random encoders reach 26.6, 27.6 and
26.9 %; kNN uses 5,000 labelled images. The wider encoder of this file needs
some seven minutes for its eight epochs.

The settings prevent BYOL's first updates from losing most directions of the
representation. They were chosen on held-out training images
(docs/log/cifar10.md, The first minutes). The batch norm at the end of the
projector is not in BYOL's paper.
"""

from configs import cifar10_cpu


def get_config():
    config = cifar10_cpu.get_config()
    config.epochs = 8
    config.augment.size = 20
    config.objective.tau = 0.95
    config.optimizer.weight_decay = 1e-2
    config.optimizer.warmup_epochs = 0.3
    config.monitor.every_epochs = 2
    return config
