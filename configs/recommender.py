"""Ranked lists for a shop's users.

byol_tf system recommender fit --data=SHOP --run=RUN
"""

import ml_collections

from configs import serve


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Share of the events, the newest, used for testing; as many before them
    # are used to choose settings and weights.
    config.share = 0.1
    config.seed = 0  # of the items that are hidden to act as new ones
    config.texts = ""  # run folder with a text encoder; "": TF-IDF alone
    config.count = 10  # items per list
    config.again = False  # may list items that the user already has
    # Weight of an event by its kind, the column `event`; others: 1. If there
    # are several kinds, `fit` tunes these weights on the held-out period.
    config.events = {
        "view": 0.2,
        "click": 0.3,
        "comment": 0.7,
        "purchase": 1.0,
    }

    config.server = serve.get_config()
    return config
