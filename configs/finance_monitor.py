"""The monitor of opinion: its heads, and when a count is an alarm.

byol_tf system finance_monitor fit --data=DIR --run=RUN
"""

import ml_collections

from configs import serve


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.negative = "bearish"  # label of sentiment/train.csv that is counted
    config.held_out = 0.2  # share of train.csv that chooses the next two
    config.shapes = ("plain", "rich")
    config.strengths = (0.3, 1.0)
    config.seed = 0

    config.window_s = 3600.0  # seconds of a window
    config.baseline = 168  # windows before it that it is compared with
    config.warm_up = 24  # of them there must be, before there are alarms
    # A surge is above the median by so many deviations (of the MAD), above
    # what one of so many windows has by chance (Poisson), and not small.
    config.deviations = 5.0
    config.tail = 1e-5
    config.least = 5
    config.poll_s = 1.0  # seconds between two looks at a growing file

    config.server = serve.get_config()
    return config
