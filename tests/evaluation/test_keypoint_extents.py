"""The size of an object by its points."""

import numpy as np

from byol_tf.evaluation.keypoint_accuracy import object_extents

NAN = np.nan


def test_the_extent_is_the_longer_side_of_the_box_of_visible_points():
    targets = [
        [0.1, 0.2, 0.3, 0.9, NAN, NAN],
        [0.1, 0.2, NAN, NAN, NAN, NAN],
        [NAN] * 6,
    ]
    np.testing.assert_allclose(object_extents(targets), [0.7, 1, 1])
