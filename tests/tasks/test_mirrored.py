"""Which points change places in a mirrored image."""

import numpy as np
import pytest

from byol_tf.tasks.mirrored import describe_mirrored, is_one_sided, mirrored


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["left_eye", "nose", "right_eye"], [2, 1, 0]),
        (["snout", "leftear", "rightear", "tailbase"], [0, 2, 1, 3]),
        (["LeftHand", "RightHand"], [1, 0]),
        (["eye_l", "eye_r", "tail"], [1, 0, 2]),
        (["earL", "earR"], [1, 0]),
        # Numbers differ as well.
        (["paw1LH", "paw2LF", "paw3RF", "paw4RH"], [3, 2, 1, 0]),
        # Words that only contain the letters, and one side alone.
        (["Rear", "Leg", "rail", "left_ear"], [0, 1, 2, 3]),
        # Two candidates are none.
        (["L1", "L2", "R3"], [0, 1, 2]),
    ],
)
def test_pairs_follow_from_names(names, places):
    assert mirrored(names) == places


def test_the_pairs_are_said_in_one_line():
    assert describe_mirrored(["left_eye", "nose", "right_eye"]) == (
        "Swapped in mirrored views: left_eye and right_eye."
    )
    assert describe_mirrored(["nose", "tail"]).startswith("No view is mirrored")
    assert "nevertheless" in describe_mirrored(
        ["eye_l", "eye_r"], one_sided=True
    )


def poses(count, facing, seed=0):
    """Left ear, right ear, nose and tail, that look to one side or both."""
    rng = np.random.default_rng(seed)
    pose = np.array([(0.1, -0.1), (0.1, 0.1), (0.3, 0.0), (-0.3, 0.05)])
    points = pose + rng.normal(scale=0.03, size=(count, 4, 2))
    points[:, :, 0] *= rng.choice(facing, (count, 1))
    places = 0.5 + rng.uniform(0.5, 1, (count, 1, 1)) * points
    places[rng.random((count, 4)) < 0.1] = np.nan
    return places


@pytest.mark.parametrize("count", [8, 500])
def test_poses_that_all_look_to_one_side_are_one_sided(count):
    assert is_one_sided(poses(count, [1]), [1, 0, 2, 3])
    assert is_one_sided(poses(count, [-1]), [1, 0, 2, 3])
    assert not is_one_sided(poses(count, [-1, 1]), [1, 0, 2, 3])


def test_nothing_is_said_of_few_poses():
    assert not is_one_sided(poses(4, [1]), [1, 0, 2, 3])
    assert not is_one_sided(np.full((9, 4, 2), np.nan), [1, 0, 2, 3])
