"""Fine-tuning for detection (boxes) or keypoints.

    byol_tf finetune runs/mine --data=cells --task=detection --labels=10,all

With several numbers of labels and three seeds (hours on a CPU):

    byol_tf finetune runs/mine --data=cells --task=detection \
        --labels=10,25,50,all --config.seeds=3

A training has at least 800 steps; 150 to 300 left detectors and points badly
underfit (docs/results.md). For a quick look add `--config.min_steps=150`.

On BCCD, 205 images of blood cells, 800 steps from scratch, three seeds: AP 48.3
± 1.1 % and AP50 82.0 ± 1.0 % (platelets 69.5, red cells 79.4, white cells 97.1)
on its 72 test images. Pretraining on the 205 images did not help.

`cells` holds `images` and `train.json`, `test.json` in COCO format, or has the
layout of YOLO or Pascal VOC. For `--task=keypoints` it holds `train.csv` and
`test.csv`. This configuration is the default of both tasks.
"""

import ml_collections

from configs import finetune


def get_config() -> ml_collections.ConfigDict:
    config = finetune.get_config()
    config.size = 256  # whole images are letterboxed to squares of this side
    config.batch_size = 8
    config.encode_batch = 16

    # With AdamW the same rates suit group norms and the new head, pretrained
    # encoders and random ones. They are for a batch of 256, scaled linearly.
    config.optimizer.name = "adamw"
    config.learning_rates = (0.1, 0.03)
    config.head_learning_rates = (0.1,)
    config.weight_decays = (0.01,)

    config.epochs = 30
    config.min_steps = 800
    config.max_steps = 3000
    config.eval_every = 100
    config.patience = 10
    config.choose_by = "metric"
    return config
