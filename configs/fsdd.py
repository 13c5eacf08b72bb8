"""The Free Spoken Digit Dataset, in five minutes on two cores.

    python train.py --config=configs/fsdd.py --workdir=runs/fsdd \
        --config.data.dir=FSDD

`FSDD` holds 8 kHz sounds and `labels.csv` with the columns path, label, split
and speaker. Pretraining does not use the labels. Even an untrained encoder
nearly solves the official split, so compare encoders with ten labels per class
and on speakers whose labels are held out:

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
