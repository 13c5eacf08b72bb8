"""A learner for any reward, and a reward that counts visits."""

from collections.abc import Callable

import numpy as np

from byol_tf.systems.explore.rooms import ACTIONS, Rooms

_EVERY = 50  # steps between two lessons
_DISCOUNT, _SWEEPS = 0.99, 100
_AT_RANDOM = 0.1  # share of the actions

# From rooms, and known transitions by state and action, to their rewards.
Reward = Callable[[Rooms, np.ndarray, np.ndarray], np.ndarray]


def explore(
    rooms: Rooms, reward: Reward | None, steps: int, seed: int
) -> np.ndarray:
    """Walks, and learns values of actions from one reward alone.

    Args:
        rooms: to explore; they note what was met, and give no reward.
        reward: None for a random walk: with no reward all values are equal.
        steps: to be taken, of all episodes together.
        seed: of all draws.

    Returns:
        The step at which each cell was first entered, int `[height, width]`;
        -1 for never.
    """
    rng = np.random.default_rng(seed)
    values = np.zeros((0, len(ACTIONS)))
    first = np.full(rooms.room_of.shape, -1)
    state = rooms.reset()
    for step in range(steps):
        x, y = rooms.cells[state]
        if first[y, x] < 0:
            first[y, x] = step
        action = int(rng.integers(len(ACTIONS)))
        if state < len(values) and rng.random() >= _AT_RANDOM:
            # The smallest of draws breaks ties between equal values.
            draws = 1e-6 * rng.random(len(ACTIONS))
            action = int((values[state] + draws).argmax())
        state, ended = rooms.step(state, action)
        if ended:
            state = rooms.reset()
        if reward and step % _EVERY == _EVERY - 1:
            values = valued(rooms, reward, values)
    return first


def counted(rooms: Rooms, states, actions) -> np.ndarray:
    """Rewards transitions by 1 / sqrt(visits) of the cell that they lead to."""
    after = rooms.following[states, actions]
    x, y = rooms.cells[after].T
    visits = np.zeros(rooms.room_of.shape)
    np.add.at(visits, (y, x), rooms.taken[states, actions])
    return 1 / np.sqrt(visits[y, x])


def valued(rooms: Rooms, reward: Reward, values: np.ndarray) -> np.ndarray:
    """Values of all actions by today's rewards of all known transitions.

    An action that was not tried yet counts as much as the state's best: what
    it leads to is not known, so it is neither sought nor avoided.

    Args:
        rooms: with the transitions.
        reward: of known transitions.
        values: float `[n, 4]`, to start from.
    """
    after = rooms.following[: rooms.count]
    states, actions = known = np.nonzero(after >= 0)
    gained = np.zeros(after.shape)
    gained[known] = reward(rooms, states, actions)
    values = np.pad(values, ((0, len(after) - len(values)), (0, 0)))
    values = np.where(after >= 0, values, 0)
    for _ in range(_SWEEPS):
        best = values.max(axis=1)
        values = np.where(after >= 0, gained + _DISCOUNT * best[after], 0)
    return np.where(after >= 0, values, values.max(axis=1, keepdims=True))
