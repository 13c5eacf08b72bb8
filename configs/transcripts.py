"""Speech recognition: fine-tuning for the text of a sound.

    byol_tf finetune RUN --data=RECORDINGS --task=transcription --labels=10%,all

`RECORDINGS` holds sounds and `labels.csv` with the columns path and text, and
split if a part of them is for the test. The task takes this configuration by
itself. Texts may be of any language: the letters are those of the training
texts.
"""

import ml_collections

from configs import finetune


def get_config() -> ml_collections.ConfigDict:
    config = finetune.get_config()
    config.batch_size = 16
    config.encode_batch = 16  # whole sounds at once

    # The head is new and deep on every starting point: Adam needs no rate of
    # its own for either. Rates are for a batch of 256, scaled linearly.
    config.optimizer.name = "adamw"
    config.learning_rates = (0.03,)
    config.head_learning_rates = (0.03,)
    config.weight_decays = (0.01,)

    # CTC says nothing for a while before it says the first letters.
    config.epochs = 100
    config.min_steps = 1000
    config.max_steps = 6000
    config.eval_every = 50
    config.patience = 20
    config.choose_by = "metric"  # 1 - character error rate
    return config
