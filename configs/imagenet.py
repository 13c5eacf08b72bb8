"""ImageNet with ResNet-50, the official recipe at any length, on GPUs.

    byol_tf pretrain runs/imagenet --config=imagenet:200 \
        --config.data.dir=$HOME/tensorflow_datasets

The number of epochs follows the colon, 100 by default. For another dataset, add
its number of images after a comma: `imagenet:400,50000`.
`lengths.by_length` sets learning rate, weight decay, tau and warm-up. At 40,
100, 300 and 1000 epochs these are the official values; the files imagenet_40.py
and so on name the published accuracies.

Learning rate and tau follow `--config.batch_size`. The official batch of 4096
is accumulated over 16 parts to fit one GPU, with batch statistics per part
(official: of the whole batch).

Not measured here; docs/scaling.md estimates its cost. The pixels need 252 GB of
disk, in `data.cache_dir` or the run folder.
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
