"""SimSiam on CIFAR-10 with ResNet-18 for 1000 epochs, on a GPU.

    byol_tf pretrain runs/cifar10_simsiam --config=cifar10_simsiam \
        --config.data.dir=$HOME/tensorflow_datasets

Source: solo-learn's `scripts/pretrain/cifar/simsiam.yaml`, with its
`augmentations/symmetric_weak.yaml`. solo-learn reports 90.51 % by an online
linear probe after 1000 epochs of batch 256. Not measured here.

Besides the differences of `configs/cifar10.py`: the momentum is Nesterov's; the
predictor follows the learning-rate schedule (theirs stays at the peak);
brightness is added here and multiplied there. Their weight decay of 1e-5 goes
through a momentum of 0.9, which makes it ten times as strong. Here it bypasses
the momentum, hence 1e-4, and skips biases and batch norm.
"""

from configs import cifar10
from configs.cifar10_simclr import symmetric_views


def get_config():
    config = cifar10.get_config()
    symmetric_views(config.augment, 0.5)

    config.heads.hidden_size = 2048
    config.heads.projection_size = 2048
    config.heads.projector_layers = 3
    config.heads.predictor_hidden_size = 512

    config.objective.name = "simsiam"

    config.optimizer.name = "sgd"
    config.optimizer.base_lr = 0.5
    config.optimizer.weight_decay = 1e-4
    return config
