"""What is noted of MiniGrid's rooms, against MiniGrid's own account."""

import numpy as np
import pytest

pytest.importorskip("minigrid")

from byol_tf.systems.explore.rooms import ACTIONS, Rooms


@pytest.fixture
def rooms():
    return Rooms(3, 5, 0)


def walk(rooms, steps=300):
    rng = np.random.default_rng(0)
    state = rooms.reset()
    for _ in range(steps):
        action = int(rng.integers(len(ACTIONS)))
        before, (state, ended) = state, rooms.step(state, action)
        yield before, action, state
        if ended:
            state = rooms.reset()


def test_states_are_those_of_the_world(rooms):
    for _, _, state in walk(rooms):
        world = rooms._world
        assert tuple(rooms.cells[state]) == tuple(world.agent_pos)
        seen = world.gen_obs()["image"]
        kinds = rooms.views[state].reshape(7, 7, -1)[..., :11].argmax(-1)
        np.testing.assert_array_equal(kinds, seen[..., 0])


def test_every_step_is_noted(rooms):
    taken = np.zeros_like(rooms.action_counts)
    for before, action, after in walk(rooms):
        taken[before, action] += 1
        assert rooms.next_states[before, action] == after
    np.testing.assert_array_equal(rooms.action_counts, taken)


def test_tables_grow_with_the_states(rooms, monkeypatch):
    monkeypatch.setattr("byol_tf.systems.explore.rooms._FIRST", 2)
    small = Rooms(3, 5, 0)
    pairs = zip(walk(small, 100), walk(rooms, 100), strict=True)
    assert all(one == other for one, other in pairs)
    np.testing.assert_array_equal(
        small.views[: small.count], rooms.views[: rooms.count]
    )


def test_agents_stand_in_rooms_and_doors_alone(rooms):
    list(walk(rooms))
    x, y = rooms.cells[: rooms.count].T
    assert (rooms.room_of[y, x] >= 0).all()
    assert set(rooms.room_of.ravel()) == {-1, 0, 1, 2, 3}
    assert (rooms.room_of == 3).sum() == 2  # doors
