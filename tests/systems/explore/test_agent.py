"""Learning from rewards alone, on rooms that are worked out by hand."""

import types

import numpy as np

from byol_tf.systems.explore import agent


def corridor(length=4):
    """States in a row; of each one action, to the next, was tried."""
    following = np.full((length, 4), -1)
    following[:-1, 2] = np.arange(1, length)
    taken = np.where(following < 0, 0, 5)
    cells = np.stack([np.arange(length), np.zeros(length, int)], 1)
    return types.SimpleNamespace(
        count=length,
        next_states=following,
        action_counts=taken,
        cells=cells,
        room_of=np.zeros((1, length), int),
    )


def test_values_are_discounted_rewards_to_come():
    rooms = corridor()
    found = agent.action_values(
        rooms, lambda rooms, states, actions: states == 2, np.zeros((0, 4))
    )
    np.testing.assert_allclose(found[:, 2], [0.99**2, 0.99, 1, 0])


def test_an_action_without_a_trial_counts_as_the_best_one():
    found = agent.action_values(
        corridor(), lambda rooms, states, actions: states == 2, np.ones((2, 4))
    )
    np.testing.assert_allclose(found, np.repeat(found[:, 2:3], 4, axis=1))


def test_a_cell_that_was_entered_often_is_worth_less():
    rooms = corridor()
    rooms.action_counts[1, 2] = 1
    found = agent.visit_reward(rooms, np.array([0, 1]), np.array([2, 2]))
    np.testing.assert_allclose(found, [5**-0.5, 1])
