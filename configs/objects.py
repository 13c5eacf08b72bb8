"""Objects and points: fine-tuning for boxes, or for points of one object.

    byol_tf finetune runs/mine --data=cells --task=detection --labels=10,all

Over labels and starting points, with three seeds (hours on a CPU):

    byol_tf finetune runs/mine --data=cells --task=detection \
        --labels=10,25,50,all --config.seeds=3

Seen on BCCD, 205 images of blood cells, from scratch: 150 steps of 8 images,
one seed, ten minutes of two busy cores: AP 26.6 %, AP50 68.6 % (platelets 39.0,
red cells 72.2, white cells 94.7) on its 72 test images. A short run, no claim.

`cells` holds `images` and `train.json`, `test.json` in COCO's form, or has the
layout of YOLO or of Pascal VOC; for `--task=keypoints` it holds `train.csv`
and `test.csv`. Both tasks take this configuration by themselves.
"""

import ml_collections

from configs import finetune


def get_config() -> ml_collections.ConfigDict:
    config = finetune.get_config()
    config.size = 256  # of the squares that whole images are brought to
    config.batch_size = 8
    config.encode_batch = 16

    # Group norms and a new head on every starting point: Adam needs no rate
    # of its own for either. Rates are for a batch of 256, scaled linearly.
    config.optimizer.name = "adamw"
    config.learning_rates = (0.1, 0.03)
    config.head_learning_rates = (0.1,)
    config.weight_decays = (0.01,)

    config.epochs = 30
    config.min_steps = 150
    config.max_steps = 3000
    config.eval_every = 50
    config.patience = 20
    config.choose_by = "metric"
    return config
