"""VICReg on CIFAR-10 with ResNet-18 for 1000 epochs, on a GPU.

    byol_tf pretrain runs/cifar10_vicreg --config=cifar10_vicreg \
        --config.data.dir=$HOME/tensorflow_datasets

Source: solo-learn's `scripts/pretrain/cifar/vicreg.yaml`. solo-learn reports
92.07 % by an online linear probe after 1000 epochs of batch 256. Not measured
here.

It differs from solo-learn as `configs/cifar10.py` does.
"""

from configs import cifar10


def get_config():
    config = cifar10.get_config()
    config.augment.area = (0.2, 1.0)
    config.augment.solarize = (0.1, 0.1)

    config.heads.hidden_size = 2048
    config.heads.projection_size = 2048

    config.objective.name = "vicreg"
    config.objective.invariance = 25.0
    config.objective.variance = 25.0
    config.objective.covariance = 1.0

    config.optimizer.base_lr = 0.3
    config.optimizer.weight_decay = 1e-4
    return config
