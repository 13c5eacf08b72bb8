"""Which points change places in a mirrored image."""

import pytest

from byol_tf.tasks.mirrored import described, mirrored


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
    assert described(["left_eye", "nose", "right_eye"]) == (
        "In mirrored views change places: left_eye and right_eye."
    )
    assert described(["nose", "tail"]).startswith("No view is mirrored")
