"""Ranked lists for a shop's users.

byol_tf system recommender fit --data=SHOP --run=RUN
"""

import ml_collections

from configs import serve


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Of the events, the newest to judge by, and as many before them to choose
    # settings and weights by.
    config.share = 0.1
    config.seed = 0  # of the items that are hidden to stand for new ones
    config.texts = ""  # run folder with an encoder of texts; "": TF-IDF alone
    config.count = 10  # items of a list
    config.again = False  # whether what a user has may be listed
    # How much an event says, by its kind in the column `event`; others: 1.
    # With several kinds `fit` goes on from here, by the held-out period.
    config.events = {
        "view": 0.2,
        "click": 0.3,
        "comment": 0.7,
        "purchase": 1.0,
    }

    config.server = serve.get_config()
    return config
