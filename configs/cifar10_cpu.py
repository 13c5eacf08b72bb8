"""CIFAR-10 with a small encoder: about 40 minutes on two CPU cores.

    byol_tf pretrain runs/cifar10_cpu --config=cifar10_cpu \
        --config.data.dir=$HOME/tensorflow_datasets

Accuracy on test images after some minutes of training: seed 0, two cores of an
Intel Xeon, float32; kNN uses 5,000 labelled images:

    minutes   epoch    kNN      linear    10 labels per class
          0       0    30.0 %   37.6 %    20.4 % (random encoder)
          5     4.2    46.4 %   52.0 %    36.2 %
         15      13    52.3 %   56.9 %    40.1 %
         30      26    57.5 %   61.5 %    44.5 %
         57      48    60.0 %   63.2 %    46.7 %

Steps are faster now: seed 0 took 39 minutes and reached 59.1, 63.4 and 46.1 %.

`configs/cifar10_minutes.py` is shorter, with smaller views and a lower tau. The
batch norm at the end of the projector is not in BYOL's paper. Without it and
with a slow predictor, as in release 0.1, 61 minutes reached 53.1, 60.8 and
46.8 % (docs/log/cifar10.md).
"""

from configs import cifar10


def get_config():
    config = cifar10.get_config()
    config.batch_size = 128
    config.epochs = 48
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
