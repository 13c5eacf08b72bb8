"""A learner for any reward, and a reward that counts visits."""

from collections.abc import Callable

import numpy as np

from byol_tf.systems.explore.rooms import ACTIONS, Rooms

_EVERY = 50  # steps between two updates of rewards and values
_DISCOUNT, _SWEEPS = 0.99, 100
_AT_RANDOM = 0.1  # share of random actions

# From rooms and known transitions (states, actions) to rewards.
Reward = Callable[[Rooms, np.ndarray, np.ndarray], np.ndarray]


def explore(
    rooms: Rooms, reward: Reward | None, steps: int, seed: int
) -> np.ndarray:
    """Walks through rooms, and learns action values from one reward.

    Args:
        rooms: rooms to explore; they record visits and give no reward
            themselves.
        reward: reward of known transitions; None: a random walk.
        steps: total number of steps over all episodes.
        seed: seed of all random choices.

    Returns:
        The step at which each cell was first entered, int `[height, width]`; -1
        if never.
    """
    rng = np.random.default_rng(seed)
    values = np.zeros((0, len(ACTIONS)))
    first_steps = np.full(rooms.room_of.shape, -1)
    state = rooms.reset()
    for step in range(steps):
        x, y = rooms.cells[state]
        if first_steps[y, x] < 0:
            first_steps[y, x] = step
        action = int(rng.integers(len(ACTIONS)))
        if state < len(values) and rng.random() >= _AT_RANDOM:
            # Tiny random numbers break ties between equal values.
            draws = 1e-6 * rng.random(len(ACTIONS))
            action = int((values[state] + draws).argmax())
        state, ended = rooms.step(state, action)
        if ended:
            state = rooms.reset()
        if reward and step % _EVERY == _EVERY - 1:
            values = action_values(rooms, reward, values)
    return first_steps


def visit_reward(rooms: Rooms, states, actions) -> np.ndarray:
    """Rewards transitions by 1 / sqrt(visits) of the cell they lead to."""
    next_states = rooms.next_states[states, actions]
    x, y = rooms.cells[next_states].T
    visits = np.zeros(rooms.room_of.shape)
    np.add.at(visits, (y, x), rooms.action_counts[states, actions])
    return 1 / np.sqrt(visits[y, x])


def action_values(
    rooms: Rooms, reward: Reward, values: np.ndarray
) -> np.ndarray:
    """Computes action values from the current rewards of known transitions.

    An untried action gets the value of the state's best one, so that it is
    neither preferred nor avoided.

    Args:
        rooms: rooms with their transitions.
        reward: reward of known transitions.
        values: float `[n, 4]`, initial values.
    """
    next_states = rooms.next_states[: rooms.count]
    states, actions = transitions = np.nonzero(next_states >= 0)
    rewards = np.zeros(next_states.shape)
    rewards[transitions] = reward(rooms, states, actions)
    values = np.pad(values, ((0, len(next_states) - len(values)), (0, 0)))
    values = np.where(next_states >= 0, values, 0)
    for _ in range(_SWEEPS):
        best = values.max(axis=1)
        values = np.where(
            next_states >= 0, rewards + _DISCOUNT * best[next_states], 0
        )
    return np.where(next_states >= 0, values, values.max(axis=1, keepdims=True))
