"""Poses of rendered objects, against the poses they were rendered in."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from byol_tf.evaluation.pose import add_error, diameter, right_poses
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.pose import COLUMNS, read_model, solve_pose

pytest.importorskip("cv2")

CAMERA = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
SIZE = (320, 240)


def box():
    """Corners of a box, and two triangles a side."""
    corners = np.array(
        [[x, y, z] for z in (-3, 3) for y in (-1, 1) for x in (-2, 2)], float
    )
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1)]
    sides += [(2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, [t for a, b, c, d in sides for t in ((a, b, c), (a, c, d))]


def bent_ring(across=24, around=12):
    """A torus whose radius changes, so that no two views are alike."""
    u, v = np.meshgrid(
        2 * np.pi * np.arange(across) / across,
        2 * np.pi * np.arange(around) / around,
        indexing="ij",
    )
    radius = 2 + 0.4 * np.sin(2 * u) + 0.3 * np.cos(u) + 0.8 * np.cos(v)
    points = [radius * np.cos(u), radius * np.sin(u), 0.8 * np.sin(v)]
    points = np.stack(points, axis=-1).reshape(-1, 3)

    def at(i, j):
        return around * (i % across) + j % around

    triangles = []
    for i in range(across):
        for j in range(around):
            a, b = at(i, j), at(i + 1, j)
            c, d = at(i + 1, j + 1), at(i, j + 1)
            triangles += [(a, b, c), (a, c, d)]
    return points, triangles


def turned(seed):
    """A random rotation, by the QR decomposition of a normal matrix."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def render(mesh, marked, rotation, translation):
    """Draws the far triangles first, and a dot of its own colour a point."""
    points, triangles = mesh
    seen = points @ rotation.T + translation
    image = seen @ CAMERA.T
    image = image[:, :2] / image[:, 2:]
    page = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(page)
    depth = [seen[list(t), 2].mean() for t in triangles]
    for k in np.argsort(depth)[::-1]:
        corners = [tuple(image[i]) for i in triangles[k]]
        draw.polygon(corners, fill=(60 + k % 90, 60 + 7 * k % 90, 90))
    for n, i in enumerate(marked):
        x, y = image[i]
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=(200 + n, 255 - n, 0))
    return np.asarray(page)


def find(image, count):
    """Centres of the dots; NaN where one is hidden by another."""
    places = []
    for n in range(count):
        rows, columns = np.nonzero((image == (200 + n, 255 - n, 0)).all(-1))
        whole = len(rows) > 20
        places.append((columns.mean(), rows.mean()) if whole else (np.nan,) * 2)
    return np.array(places)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("mesh", [box(), bent_ring()], ids=["box", "ring"])
def test_a_rendered_pose_is_found(mesh, seed):
    points, triangles = mesh
    assert len(triangles) < 1000
    marked = np.linspace(0, len(points) - 1, 8).round().astype(int)
    rotation, translation = turned(seed), np.array([0.5, -0.3, 14.0])
    found = find(render(mesh, marked, rotation, translation), len(marked))
    there = ~np.isnan(found[:, 0])
    pose = solve_pose(points[marked[there]], found[there], CAMERA)
    error = add_error(*pose[:2], rotation, translation, points)
    assert error < 0.05 * diameter(points) and pose.error_px < 1
    assert right_poses([error, np.nan], diameter(points)) == 0.5


def test_no_pose_is_made_of_too_few_points_or_a_line():
    line = np.array([[x, 0, 0] for x in range(5)], float)
    assert solve_pose(line, line[:, :2] * 0, CAMERA) is None


def test_keypoints_have_a_pose_where_enough_points_are_sure(tmp_path):
    corners, _ = box()
    names = [f"c{i}" for i in range(8)]
    value = {
        "points": dict(zip(names, corners.tolist(), strict=True)),
        "camera": CAMERA.tolist(),
    }
    (tmp_path / "box.json").write_text(json.dumps(value))
    model = read_model(tmp_path / "box.json")
    columns = [f"{name}{axis}" for name in names for axis in ("_x", "_y")]
    task = Keypoints(columns, whole=True, pose=vars(model))
    again = Keypoints(columns, **task.options())
    rotation, translation = turned(4), np.array([1.0, 0.5, 12.0])
    seen = (corners @ rotation.T + translation) @ CAMERA.T
    places = seen[:, :2] / seen[:, 2:] / SIZE
    row, other = again.rows(
        {
            "points": np.stack([places.ravel()] * 2),
            "confidence": np.array([[0.9] * 8, [0.9] * 3 + [0.1] * 5]),
            "size": np.float32([SIZE] * 2),
        }
    )
    moved = [row[f"translation_{axis}"] for axis in "xyz"]
    np.testing.assert_allclose(moved, translation, atol=1e-4)
    assert row["reprojection_px"] < 1e-3
    assert [other[name] for name in COLUMNS] == [""] * len(COLUMNS)
    with pytest.raises(ValueError, match="has a point 'c7', which is not"):
        Keypoints(columns[:-2], pose=vars(model))
