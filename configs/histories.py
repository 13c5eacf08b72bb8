"""Your own shop: turns purchase histories into vectors of users.

    byol_tf pretrain SHOP RUN
    byol_tf system recommender fit --data=SHOP --run=RUN

SHOP holds `items.csv` (item,text) and `interactions.csv` (user,item and, if
known, timestamp, quantity, rating, event). The two views are two random parts
of a user's history. The newest fifth of the events is held out for tuning and
testing by `byol_tf system recommender`.
"""

from configs import base


def get_config():
    config = base.get_config()
    config.modality = "history"
    config.batch_size = 0  # 256, or at most a quarter of few examples
    # Computed for this machine when a run begins.
    config.epochs = 0
    config.minutes = 1.0
    config.precision = "auto"

    config.data.source = "folder"
    config.data.test_split = ""

    config.encoder.name = "histories"

    config.heads.hidden_size = 256
    config.heads.projection_size = 128

    config.objective.normalize_projection = True
    config.objective.target_init = "copy"
    config.objective.predictor_lr_multiplier = 10.0
    config.objective.tau = 0.99

    config.optimizer.name = "adamw"
    config.optimizer.lr_rule = "none"
    config.optimizer.base_lr = 1e-3
    config.optimizer.weight_decay = 1e-2
    config.optimizer.warmup_epochs = 1.0

    config.monitor.every_epochs = 20
    config.evaluate.knn_k = 10
    return config
