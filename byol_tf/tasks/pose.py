"""6-D pose of a rigid object, from points in an image and its 3-D model."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from byol_tf.checks import require
from byol_tf.files import loading, read_json

EXTRA = "pose"  # name of the optional dependency
MIN_POINTS = 4  # points needed for a pose
MIN_CONFIDENCE = 0.3  # lowest confidence of a point
COLUMNS = (
    *("rotation_x", "rotation_y", "rotation_z"),
    *("translation_x", "translation_y", "translation_z"),
    "reprojection_px",
)


class Pose(NamedTuple):
    """Pose of an object relative to the camera.

    Attributes:
        rotation: float64 `[3, 3]`, from the model's axes to the camera's: x to
            the right, y down, z away from it.
        translation: float64 `[3]`, in units of the model.
        error_px: root mean square reprojection error in pixels.
    """

    rotation: np.ndarray
    translation: np.ndarray
    error_px: float

    def row(self) -> dict[str, float]:
        """Returns rotation vector (rad), translation and error by `COLUMNS`."""
        cv2 = require("cv2", EXTRA)
        rotation_vector = cv2.Rodrigues(self.rotation)[0].ravel()
        values = (*rotation_vector, *self.translation, self.error_px)
        return dict(zip(COLUMNS, map(float, values), strict=True))


@dataclasses.dataclass(frozen=True)
class RigidModel:
    """Named points of an object, and the camera.

    Attributes:
        points: x, y and z of each point by name, in any unit.
        camera: intrinsics `[3][3]` in pixels: focal lengths and centre.
    """

    points: Mapping[str, Sequence[float]]
    camera: Sequence[Sequence[float]]

    def __post_init__(self):
        for name, place in self.points.items():
            if np.shape(place) != (3,) or not np.isfinite(place).all():
                raise ValueError(
                    "points of a 3-D model must be [x, y, z]. Received: "
                    f"{place!r} for {name!r}"
                )
        camera = np.array(self.camera, np.float64)
        if camera.shape != (3, 3) or not (np.diag(camera) > 0).all():
            raise ValueError(
                "`camera` must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in "
                f"pixels. Received: {self.camera!r}"
            )

    def solve(self, places: Mapping[str, Sequence[float]]) -> Pose | None:
        """Computes the pose from places in the image, in pixels, by name.

        Returns:
            The pose; None with fewer than four points, or if none fits.
        """
        names = [name for name in self.points if name in places]
        if len(names) < MIN_POINTS:
            return None
        return solve_pose(
            np.array([self.points[name] for name in names]),
            np.array([places[name] for name in names]),
            np.array(self.camera),
        )


def read_model(path: str | os.PathLike) -> RigidModel:
    """Reads a JSON file with `points` and `camera`, see `RigidModel`.

    Raises:
        ValueError: if the file is invalid.
    """
    with loading(path):
        value = read_json(path)
        return RigidModel(value["points"], value["camera"])


def solve_pose(
    model: np.ndarray, points: np.ndarray, camera: np.ndarray
) -> Pose | None:
    """Computes the least-squares pose by OpenCV's SQPNP and refines it.

    Refinement is by Levenberg-Marquardt.

    Args:
        model: points of the object `[n, 3]`, at least four.
        points: the same points in the image, `[n, 2]`, pixels.
        camera: intrinsics `[3, 3]` in pixels, for an image without distortion.

    Returns:
        The pose, or None if none lies in front of the camera.

    Raises:
        ValueError: if OpenCV is not installed.

    Reference: Terzakis and Lourakis 2020, "A consistently fast and globally
    optimal solution to the perspective-n-point problem".
    """
    cv2 = require("cv2", EXTRA)
    model, points, camera = (
        np.ascontiguousarray(array, np.float64)
        for array in (model, points, camera)
    )
    try:
        solved, rotation_vector, translation = cv2.solvePnP(
            model, points, camera, None, flags=cv2.SOLVEPNP_SQPNP
        )
        if not solved:
            return None
        rotation_vector, translation = cv2.solvePnPRefineLM(
            model, points, camera, None, rotation_vector, translation
        )
    except cv2.error:  # all points lie on a line
        return None
    projected = cv2.projectPoints(
        model, rotation_vector, translation, camera, None
    )[0][:, 0]
    error = np.sqrt(np.mean(np.sum((projected - points) ** 2, axis=1)))
    rotation, translation = (
        cv2.Rodrigues(rotation_vector)[0],
        translation.ravel(),
    )
    if not np.isfinite(error) or not translation[2] > 0:
        return None
    return Pose(rotation, translation, float(error))
