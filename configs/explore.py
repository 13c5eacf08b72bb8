"""Agents that explore rooms.

byol_tf system explore --run=RUN
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.rooms = 6  # one after the other, each behind a closed door
    config.side = 6  # of the largest rooms with their walls, in cells
    config.steps = 20_000  # of each run, in episodes of 20 steps a room
    # Steps of learning of the networks, before each reward. 0 leaves them as
    # they were drawn: what is found then is not due to learning.
    config.lessons = 8
    config.seeds = (0, 1, 2)  # of layout, networks and draws
    return config
