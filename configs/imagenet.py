"""ImageNet with ResNet-50, the official recipe at any length: for GPUs.

    byol_tf pretrain runs/imagenet --config=imagenet:200 \
        --config.data.dir=$HOME/tensorflow_datasets

The text after the colon is the number of epochs, 100 without it; behind a
comma may follow how many images there are where it is not ImageNet:
`configs/imagenet.py:400,50000`. Learning rate, weight decay, tau and warm-up
are those of `lengths.by_length`, the official ones at 40, 100, 300 and
1000 epochs, for which there are files here with what was published.

Any `--config.batch_size` goes: the learning rate and tau follow it. The
official batch of 4096 is made of 16 parts, so that it fits one GPU; batch
statistics are those of a part (official: of the whole batch).

Not measured here. What it takes on paper is in docs/scaling.md. The pixels
need 252 GB of disk, in `data.cache_dir` or the run folder.
"""

from configs import base, lengths

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def get_config(length: str = "100"):
    epochs, images = _parse(length)
    values = lengths.by_length(epochs, images)

    config = base.get_config()
    config.batch_size = lengths.BATCH
    config.epochs = epochs
    config.precision = "mixed_bfloat16"

    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test_split = "validation"
    config.data.image_size = 256
    config.data.cache = "disk"

    config.augment.size = 224

    config.encoder.name = "resnet50"
    config.encoder.stem = "imagenet"
    config.encoder.mean = MEAN
    config.encoder.std = STD

    config.objective.tau = values.tau
    config.objective.tau_batch = lengths.BATCH

    config.optimizer.base_lr = values.base_lr
    config.optimizer.weight_decay = values.weight_decay
    config.optimizer.warmup_epochs = values.warmup_epochs
    config.optimizer.accumulate_steps = 16

    config.checkpoint.every_seconds = 600.0
    return config


def _parse(length):
    epochs, _, images = length.partition(",")
    try:
        return int(epochs), int(images or lengths.IMAGENET)
    except ValueError:
        raise ValueError(
            "configs/imagenet.py: must be followed by a number of epochs, or "
            f"of epochs and images with a comma between. Received: {length!r}"
        ) from None
