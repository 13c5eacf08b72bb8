"""Speech recognition: fine-tuning to transcribe sounds.

    byol_tf finetune RUN --data=RECORDINGS --task=transcription --labels=10%,all

`RECORDINGS` holds sounds and `labels.csv` with the columns path and text, and
split if some are for testing. This configuration is the default of the task.
Texts may be in any language; the alphabet is that of the training texts.
"""

import ml_collections

from configs import finetune


def get_config() -> ml_collections.ConfigDict:
    config = finetune.get_config()
    config.batch_size = 16
    config.encode_batch = 16  # whole sounds at once

    # With AdamW the same rate suits the encoder and the deep new head,
    # pretrained or from scratch. It is for a batch of 256, scaled linearly.
    config.optimizer.name = "adamw"
    config.learning_rates = (0.03,)
    config.head_learning_rates = (0.03,)
    config.weight_decays = (0.01,)

    # CTC outputs only blanks for a while before the first letters appear.
    config.epochs = 100
    config.min_steps = 1000
    config.max_steps = 6000
    config.eval_every = 50
    config.patience = 20
    config.choose_by = "metric"  # 1 - character error rate
    return config
