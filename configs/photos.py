"""Your own photos: from a folder to an encoder.

    byol_tf pretrain PHOTOS RUN

Views are random crops of the original photos. Products, animals and places
often differ in colour, which the paper's jitter teaches an encoder to ignore,
so colours are changed only a little here.

On 2,640 photos of groceries (43 classes), 128 epochs on two cores reached these
means of three seeds: kNN 59.9 % (random encoder 24.3, raw pixels 16.9),
logistic regression 65.3 (33.6, 28.0), ten labels per class 48.5 (14.7); see
docs/results.md. SimCLR was better there: 62.9, 67.2 and 55.4 (one seed), by
--config.objective.name=simclr. Ordinary photos are represented better from
ImageNet weights, see configs/photos_imagenet.py.
"""

from configs import base


def get_config():
    config = base.get_config()
    # Computed from the folder and the machine when a run begins.
    config.batch_size = 0
    config.epochs = 0
    config.minutes = 60.0
    config.augment.size = 0
    config.encoder.name = "auto"

    config.precision = "auto"

    config.data.source = "folder"
    config.data.test_split = ""

    config.augment.grayscale = 0.0
    config.augment.hue = 0.02
    config.augment.blur = (0.0, 0.0)
    config.augment.solarize = (0.0, 0.0)

    config.heads.hidden_size = 512
    config.heads.projection_size = 128

    config.objective.normalize_projection = True
    config.objective.target_init = "copy"
    config.objective.tau = 0.985
    config.objective.predictor_lr_multiplier = 10.0

    # A sixth of the quickstart's rate and a seventh of its decay. With the
    # quickstart's own, representations of photos lose most of their directions.
    config.optimizer.name = "adamw"
    config.optimizer.lr_rule = "none"
    config.optimizer.base_lr = 7e-4
    config.optimizer.weight_decay = 7e-3
    config.optimizer.warmup_epochs = 2.0

    config.monitor.every_epochs = 10
    config.evaluate.knn_k = 10
    return config
