"""MoCo v3 on CIFAR-10 with ResNet-18 for 1000 epochs, on a GPU.

    byol_tf pretrain runs/cifar10_moco_v3 --config=cifar10_moco_v3 \
        --config.data.dir=$HOME/tensorflow_datasets

Source: solo-learn's `scripts/pretrain/cifar/mocov3.yaml`, with the views, head
sizes and tau of `configs/cifar10.py`. solo-learn reports 93.10 % by an online
linear probe after 1000 epochs of batch 256. Not measured here.

It differs from solo-learn as `configs/cifar10.py` does.
"""

from configs import cifar10


def get_config():
    config = cifar10.get_config()
    config.heads.projector_layers = 2

    config.objective.name = "moco_v3"
    config.objective.temperature = 0.2

    config.optimizer.base_lr = 0.3
    config.optimizer.weight_decay = 1e-6
    return config
