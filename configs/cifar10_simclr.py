"""SimCLR on CIFAR-10 with ResNet-18 for 1000 epochs, on a GPU.

    byol_tf pretrain runs/cifar10_simclr --config=cifar10_simclr \
        --config.data.dir=$HOME/tensorflow_datasets

Source: solo-learn's `scripts/pretrain/cifar/simclr.yaml`, with its
`augmentations/symmetric.yaml`. solo-learn reports 90.74 % by an online linear
probe after 1000 epochs of batch 256. Not measured here.

Besides the differences of `configs/cifar10.py`, brightness is added here and
multiplied there (0.8 there moves a pixel of mean brightness by 0.4), and the
projector has a batch norm, as in the official code.
"""

from configs import cifar10


def symmetric_views(augment, strength: float) -> None:
    """Sets SimCLR's colour changes and blur, the same for both views.

    Args:
        augment: section `augment` of a configuration; changed in place.
        strength: colour strength of the paper's appendix A: 1 for ImageNet, 0.5
            for CIFAR-10.
    """
    augment.brightness = 0.4 * strength
    augment.contrast = 0.8 * strength
    augment.saturation = 0.8 * strength
    augment.hue = 0.2 * strength
    augment.blur = (0.5, 0.5)
    augment.solarize = (0.0, 0.0)


def get_config():
    config = cifar10.get_config()
    symmetric_views(config.augment, 1.0)

    config.heads.hidden_size = 2048
    config.heads.projection_size = 256

    config.objective.name = "simclr"
    config.objective.temperature = 0.2

    config.optimizer.base_lr = 0.4
    config.optimizer.weight_decay = 1e-4
    return config
