"""Agents that explore rooms.

byol_tf system explore --run=RUN
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.rooms = 6  # in a row, each behind a closed door
    config.side = 6  # side of the largest rooms in cells, with their walls
    config.steps = 20_000  # per run, in episodes of 20 steps per room
    # Training steps of the networks before each reward. 0 keeps them at their
    # random weights, a control for what learning adds.
    config.lessons = 8
    config.seeds = (0, 1, 2)  # of layout, networks and actions
    return config
