"""Your own recordings of words or short sounds: from a folder to an encoder.

    byol_tf pretrain SOUNDS RUN

Views follow BYOL-A with milder crops, since the paper's crops of a short clip
would be mostly silence. For sounds other than speech, such as machines or
birds, use the paper's: `--config.audio.time_crop=0.6,1.5`,
`--config.audio.band_crop=0.6,1.5` and `--config.audio.canvas=1.5`.
"""

from configs import base


def get_config():
    config = base.get_config()
    config.modality = "audio"
    config.batch_size = 0  # 96, or at most a quarter of few examples
    # Computed for this machine when a run begins.
    config.epochs = 0
    config.minutes = 5.0
    config.precision = "auto"

    config.data.source = "folder"
    config.data.test_split = ""

    config.audio.window = 512
    config.audio.mixup = 0.4
    config.audio.time_crop = (0.8, 1.25)
    config.audio.band_crop = (0.8, 1.25)
    config.audio.canvas = 1.25

    config.encoder.name = "sound_small"

    config.heads.hidden_size = 512
    config.heads.projection_size = 128

    config.objective.level = "frames"
    config.objective.normalize_projection = True
    config.objective.target_init = "copy"
    config.objective.predictor_lr_multiplier = 10.0
    config.objective.tau = 0.99

    config.optimizer.name = "adamw"
    config.optimizer.lr_rule = "none"
    config.optimizer.base_lr = 2e-3
    config.optimizer.weight_decay = 1e-2
    config.optimizer.warmup_epochs = 1.0

    config.monitor.every_epochs = 5
    config.evaluate.knn_k = 10
    return config
