"""ImageNet with ResNet-50, the official 100 epochs: for GPUs.

    byol_tf pretrain runs/imagenet --config=imagenet_100 \
        --config.data.dir=$HOME/tensorflow_datasets

LARS at learning rate 0.45 for a batch of 256, weight decay 1e-6, tau 0.99 at
the batch of 4096, 10 epochs of warm-up.

Published by others with this length: 66.5 % (SimSiam paper) and 68.4 %
(solo-learn) linear top-1 accuracy.
Not measured here; configs/imagenet.py says what differs from the official
code, and docs/scaling.md what it takes on paper.
"""

from configs import imagenet


def get_config():
    return imagenet.get_config("100")
