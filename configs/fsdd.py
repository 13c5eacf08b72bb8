"""Spoken digits: the Free Spoken Digit Dataset, five minutes on two cores.

    python train.py --config=configs/fsdd.py --workdir=runs/fsdd \
        --config.data.dir=FSDD

`FSDD` holds sounds of 8 kHz and `labels.csv` with the columns path, label,
split and speaker. Labels are never used here. The official split is nearly
solved by an encoder that learned nothing; what tells encoders apart are ten
labels a class, and speakers whose labels were not learned from:

    byol_tf finetune runs/fsdd --labels=10-per-class --config.seeds=3
    byol_tf evaluate runs/fsdd --groups=speaker
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
