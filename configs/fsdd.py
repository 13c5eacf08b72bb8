"""The Free Spoken Digit Dataset, in five minutes on two cores.

    byol_tf pretrain runs/fsdd --config=fsdd --config.data.dir=FSDD

`FSDD` holds 8 kHz sounds and `labels.csv` with the columns path, label, split
and speaker. Pretraining does not use the labels. Even an untrained encoder
nearly solves the official split, so compare encoders with ten labels per class
and on speakers whose labels are held out:

    byol_tf finetune runs/fsdd --labels=10-per-class --config.seeds=3
    byol_tf evaluate runs/fsdd --groups=speaker

Seeds 0 to 2, on two busy cores of an Intel Xeon in bfloat16, 54, 27 and 54
epochs: ten labels per class 89.3, 84.5 and 87.9 % (random encoders 67.1, 60.9
and 73.4), kNN on an unheard speaker 62.3, 56.0 and 59.0 % (44.0). 103 epochs of
seed 0 on an AMD EPYC: 90.3 and 72.3 %. docs/results.md has the rest.
"""

from configs import speech


def get_config():
    config = speech.get_config()
    config.data.dir = "fsdd"
    config.data.test_split = "test"

    config.audio.rate = 8000
    config.audio.hop = 128
    config.audio.high = 0.0
    config.audio.seconds = 0.64  # 95 of 100 digits are shorter
    return config
