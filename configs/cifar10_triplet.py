"""A triplet loss on CIFAR-10 with ResNet-18 for 1000 epochs, on a GPU.

    byol_tf pretrain runs/cifar10_triplet --config=cifar10_triplet \
        --config.data.dir=$HOME/tensorflow_datasets

There is no published recipe for a triplet loss without labels. For comparison,
this is `configs/cifar10_simclr.py` with another loss and FaceNet's margin. Not
measured here.
"""

from configs import cifar10_simclr


def get_config():
    config = cifar10_simclr.get_config()
    config.objective.name = "triplet"
    config.objective.margin = 0.2
    return config
