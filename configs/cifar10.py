"""CIFAR-10 with ResNet-18 for 1000 epochs, on a GPU.

    byol_tf pretrain runs/cifar10 --config=cifar10 \
        --config.data.dir=$HOME/tensorflow_datasets

The recipe behind the highest published BYOL number on CIFAR-10, solo-learn's
`scripts/pretrain/cifar/byol.yaml`: 92.6 % by its online linear probe after
1000 epochs of batch 256. Not yet measured here: it takes days on a CPU.

Remaining differences: the stem uses SAME padding (theirs pads by 2, which
gives 34x34 maps), the trust ratio takes the norm of gradient plus weight decay
as one vector, and the warm-up starts at 0 (theirs at 3e-5).
"""

from configs import base

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)


def get_config():
    config = base.get_config()
    config.batch_size = 256
    config.epochs = 1000
    config.precision = "mixed_bfloat16"

    config.data.source = "tfds"
    config.data.name = "cifar10"

    config.augment.blur = (0.0, 0.0)
    config.augment.solarize = (0.0, 0.2)

    config.encoder.name = "resnet18"
    config.encoder.stem = "small"
    config.encoder.mean = MEAN
    config.encoder.std = STD

    config.heads.hidden_size = 4096
    config.heads.projection_size = 256

    config.objective.tau = 0.99
    config.objective.target_init = "copy"

    config.optimizer.name = "lars"
    config.optimizer.base_lr = 1.0
    config.optimizer.weight_decay = 1e-5
    config.optimizer.trust_coefficient = 0.02
    config.optimizer.clip_trust_ratio = True
    config.optimizer.warmup_epochs = 10.0

    config.monitor.every_epochs = 5
    config.checkpoint.every_seconds = 600.0
    return config
