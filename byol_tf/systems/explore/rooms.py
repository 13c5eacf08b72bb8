"""MiniGrid's rooms behind closed doors, and a table of their states."""

import numpy as np

from byol_tf.checks import require

# Turn left, turn right, go forward, open or close; others have no effect.
ACTIONS = (0, 1, 2, 5)
_FIRST = 1024  # initial length of the tables


class Rooms:
    """One layout of rooms, equal in each episode, with a table of its states.

    A state is the agent's cell, its heading and which doors are open. States
    are numbered as they are met: `views`, `cells`, `next_states` and
    `action_counts` have a row for each, and the first `count` rows are in use.

    Args:
        rooms: number of rooms; each door leads to the next room.
        side: side of the largest rooms in cells, with their walls, at least 4.
        seed: seed of the layout.

    Attributes:
        views: float32 `[n, size]`, the 7 x 7 cells seen from a state, one-hot.
        cells: int `[n, 2]`, column and row of the agent.
        next_states: int `[n, 4]`, the state after each action; -1: not tried.
        action_counts: int `[n, 4]`, how often each action was taken.
        room_of: int `[height, width]`, number of each cell's room; -1 for
            walls, `rooms` for doors.
    """

    def __init__(self, rooms: int, side: int, seed: int):
        envs = require("minigrid.envs", "explore")
        constants = require("minigrid.core.constants", "explore")
        self._world = envs.MultiRoomEnv(
            minNumRooms=rooms, maxNumRooms=rooms, maxRoomSize=side
        )
        kinds = "OBJECT_TO_IDX", "COLOR_TO_IDX", "STATE_TO_IDX"
        self._sizes = [len(getattr(constants, kind)) for kind in kinds]
        self._seed, self._states = seed, {}
        self.views = np.zeros((0, 7 * 7 * sum(self._sizes)), np.float32)
        self.cells = np.zeros((0, 2), int)
        self.next_states = np.zeros((0, len(ACTIONS)), int)
        self.action_counts = np.zeros((0, len(ACTIONS)), int)
        self.reset()
        self.room_of = self._room_numbers()

    @property
    def count(self) -> int:
        """Number of states met so far."""
        return len(self._states)

    def reset(self) -> int:
        """Begins an episode; returns its first state."""
        observation, _ = self._world.reset(seed=self._seed)
        grid = self._world.grid.grid
        self._doors = [c for c in grid if c is not None and c.type == "door"]
        return self._state(observation["image"])

    def step(self, state: int, action: int) -> tuple[int, bool]:
        """Acts and records it; returns the next state, and whether it is last.

        An episode ends at the goal, in the last room, or after 20 steps per
        room.
        """
        observation, _, terminated, truncated, _ = self._world.step(
            ACTIONS[action]
        )
        next_state = self._state(observation["image"])
        self.next_states[state, action] = next_state
        self.action_counts[state, action] += 1
        return next_state, terminated or truncated

    def _state(self, image):
        x, y = map(int, self._world.agent_pos)
        doors = (door.is_open for door in self._doors)
        key = (x, y, int(self._world.agent_dir), *doors)
        if key not in self._states:
            self._states[key] = number = len(self._states)
            if number == len(self.views):
                self._grow()
            parts = (
                np.eye(n)[image[..., i]] for i, n in enumerate(self._sizes)
            )
            self.views[number] = np.concatenate([*parts], axis=2).ravel()
            self.cells[number] = x, y
        return self._states[key]

    def _grow(self):
        """Doubles the length of all tables."""
        rows = (0, len(self.views) or _FIRST), (0, 0)
        self.views = np.pad(self.views, rows)
        self.cells, self.action_counts = (
            np.pad(self.cells, rows),
            np.pad(self.action_counts, rows),
        )
        self.next_states = np.pad(self.next_states, rows, constant_values=-1)

    def _room_numbers(self):
        room_numbers = np.full((self._world.height, self._world.width), -1)
        rooms = self._world.rooms
        for number, room in enumerate(rooms):
            (x, y), (width, height) = room.top, room.size
            room_numbers[y + 1 : y + height - 1, x + 1 : x + width - 1] = number
        for x, y in (room.entryDoorPos for room in rooms[1:]):
            room_numbers[y, x] = len(rooms)
        return room_numbers
