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

from configs import cifar10


def get_config():
    config = cifar10.get_config()
    config.batch_size = 256
    config.epochs = 50
    config.precision = "auto"

    config.augment.area = (0.2, 1.0)

    config.encoder.name = "slim"
    config.encoder.widths = (32, 64, 128, 256)
    config.encoder.stem = "strided"

    config.heads.hidden_size = 1024
    config.heads.projection_size = 256

    config.objective.target_init = "independent"
    config.objective.tau_batch = 256

    config.optimizer.name = "adamw"
    config.optimizer.lr_rule = "sqrt"
    config.optimizer.base_lr = 4e-3
    config.optimizer.weight_decay = 1e-2
    config.optimizer.warmup_epochs = 2.0

    config.monitor.every_epochs = 5
    return config
