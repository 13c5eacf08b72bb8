"""Errors as rewards, against the networks' outputs in NumPy."""

import types

import numpy as np
import pytest

from byol_tf.systems.explore.curiosity import Curiosity

SIZE = 6


@pytest.fixture
def rooms():
    """Three states that follow each other, the last one seldom entered."""
    rng = np.random.default_rng(0)
    following = np.full((4, 4), -1)
    following[[0, 1, 2], 2] = [1, 0, 3]
    taken = np.zeros((4, 4), int)
    taken[[0, 1, 2], 2] = [50, 50, 1]
    return types.SimpleNamespace(
        count=4,
        views=np.float32(rng.normal(size=(4, SIZE))),
        next_states=following,
        action_counts=taken,
    )


KNOWN = np.array([0, 1, 2]), np.array([2, 2, 2])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_reward_is_how_far_an_error_lies_above_the_mean(rooms):
    curious = Curiosity(SIZE, seed=0, lessons=0)
    found = curious(rooms, *KNOWN)
    states, actions = KNOWN
    vectors = np.array(curious.encoder(rooms.views[states]))
    asked = np.concatenate([vectors, np.eye(4)[actions]], axis=1)
    after = np.array(curious.target(rooms.views[[1, 0, 3]]))
    foretold = unit(np.array(curious.predictor(asked)))
    errors = 2 - 2 * (foretold * unit(after)).sum(1)
    walked = np.repeat(errors, [50, 50, 1])
    wanted = np.maximum(errors - walked.mean(), 0) / walked.std()
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_what_is_seldom_walked_stays_worth_most(rooms):
    curious = Curiosity(SIZE, seed=0)
    for _ in range(20):
        found = curious(rooms, *KNOWN)
    assert found[2] > 1 and found[:2].max() < 1


def test_the_target_follows_the_encoder(rooms):
    curious = Curiosity(SIZE, seed=0, lessons=1)
    before = [v.numpy() for v in curious.target.variables]
    curious(rooms, *KNOWN)
    pairs = zip(
        *(before, curious.encoder.variables, curious.target.variables),
        strict=True,
    )
    for old, online, now in pairs:
        wanted = 0.98 * old + 0.02 * online.numpy()
        np.testing.assert_allclose(now.numpy(), wanted, atol=1e-6)
