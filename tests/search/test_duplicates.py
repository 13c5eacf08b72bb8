"""Groups of near-duplicates."""

import csv

import numpy as np
import pytest

from byol_tf.search import duplicates, parts
from byol_tf.search.duplicates import (
    duplicate_groups,
    groups_among,
    widest_by_chance,
    write_groups,
)
from tests.support.embeddings import random_vectors, write_embeddings
from tests.support.settings import duplicate_settings, index_settings


def at_angles(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


def reference_groups(vectors, threshold):
    """Components by following neighbours, in float64."""
    vectors = vectors.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = vectors @ vectors.T >= threshold
    left, groups = set(range(len(vectors))), []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = set(np.flatnonzero(near[list(edge)].any(axis=0))) - group
        left -= group
        if len(group) > 1:
            groups.append(sorted(int(row) for row in group))
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def test_groups_are_joined_by_chains_and_sorted_by_size(tmp_path):
    vectors = at_angles(0, 90, 3, 180, 6, 91, 270)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    threshold = np.cos(np.radians(4))
    found, rule = duplicate_groups(
        embeddings, duplicate_settings(threshold=threshold), index_settings()
    )
    assert rule == "cosine of at least 0.997564"
    assert [group.rows.tolist() for group in found] == [[0, 2, 4], [1, 5]]
    wanted = np.cos(np.radians([0, 3, 6]))
    np.testing.assert_allclose(found[0].cosines, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "index", [index_settings(), index_settings(exact_below=0)]
)
def test_groups_are_those_of_a_plain_search(tmp_path, monkeypatch, index):
    monkeypatch.setattr(parts, "ROWS", 64)
    monkeypatch.setattr(duplicates, "_STRIP", 24)
    monkeypatch.setattr(duplicates, "_GROUPS", 5)
    vectors = random_vectors(200, 6)
    copies = vectors[::3] + 0.05 * random_vectors(67, 6, seed=1)
    vectors = np.concatenate([vectors, copies])
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    found, _ = duplicate_groups(
        embeddings, duplicate_settings(threshold=0.99), index
    )
    groups = [group.rows.tolist() for group in found]
    assert groups == reference_groups(vectors, 0.99)
    assert len(groups) > 20
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for rows, cosines in found:
        np.testing.assert_allclose(
            cosines, unit[rows] @ unit[rows[0]], atol=2e-6
        )


def test_vectors_in_memory_have_the_same_groups_by_gaps(tmp_path):
    vectors = random_vectors(200, 6)
    copies = vectors[::20] + 0.005 * random_vectors(10, 6, seed=1)
    vectors = np.concatenate([vectors, copies])
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    found, _ = duplicate_groups(
        embeddings, duplicate_settings(threshold=0.0), index_settings()
    )
    groups = [rows.tolist() for rows in groups_among(vectors)]
    assert groups == [group.rows.tolist() for group in found]
    assert len(groups) == 10


@pytest.mark.parametrize("threshold", [0.0, 0.998])
def test_a_collapsed_encoder_makes_one_group(tmp_path, threshold):
    vectors = np.ones((300, 3), np.float32)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    (group,), _ = duplicate_groups(
        embeddings, duplicate_settings(threshold=threshold), index_settings()
    )
    assert group.rows.tolist() == list(range(300))


def with_copies(noise=0.01):
    """Vectors in a ball of 6 dimensions, then copies of the first 10."""
    vectors = random_vectors(300, 7)
    vectors[:, 0] = 3.0
    groups = [*(range(10)), 0]  # the first one has two copies
    copies = vectors[groups] + noise * random_vectors(11, 7, seed=1)
    wanted = [[0, 300, 310], *([row, 300 + row] for row in range(1, 10))]
    return np.concatenate([vectors, copies]), wanted


@pytest.mark.parametrize(
    "index", [index_settings(), index_settings(exact_below=0)]
)
def test_copies_are_known_by_the_gap_to_the_next(tmp_path, monkeypatch, index):
    monkeypatch.setattr(parts, "ROWS", 128)
    vectors, wanted = with_copies()
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    found, rule = duplicate_groups(embeddings, duplicate_settings(), index)
    assert [group.rows.tolist() for group in found] == wanted
    assert rule.startswith("next one at least ")


def test_images_that_are_all_much_alike_are_no_duplicates(tmp_path):
    vectors, wanted = with_copies()
    vectors[:, 0] = 60.0  # the same, twenty times as near to each other
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.median(unit @ unit.T) > 0.998
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    found, _ = duplicate_groups(
        embeddings, duplicate_settings(), index_settings()
    )
    assert [group.rows.tolist() for group in found] == wanted


@pytest.mark.parametrize("settings", [{}, {"threshold": 0.998}])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_without_duplicates_there_is_no_group(tmp_path, settings, count):
    vectors = at_angles(*range(0, 10 * count, 10))
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    found, _ = duplicate_groups(
        embeddings, duplicate_settings(**settings), index_settings()
    )
    assert found == []


@pytest.mark.parametrize("dimensions", [3, 8])
def test_a_gap_is_as_wide_as_chance_makes_few(dimensions):
    points = np.random.default_rng(0).normal(size=(900, dimensions))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    found = widest_by_chance(np.sort(distances, axis=1)[:, 1:33])
    wanted = (900 / 0.01) ** (1 / dimensions)
    assert found == pytest.approx(wanted, rel=0.25)


def test_the_table_names_every_image_of_every_group(tmp_path):
    paths = ["b, é.png", "c.png", "a.png", "d.png"]
    vectors = at_angles(0, 90, 0, 89)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors, paths)
    groups, _ = duplicate_groups(
        embeddings, duplicate_settings(threshold=0.998), index_settings()
    )
    write_groups(embeddings, groups, tmp_path / "d.csv")
    with open(tmp_path / "d.csv", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["group", "path", "cosine"],
            ["1", "b, é.png", "1.000000"],
            ["1", "a.png", "1.000000"],
            ["2", "c.png", "1.000000"],
            ["2", "d.png", f"{np.cos(np.radians(1)):.6f}"],
        ]


def test_an_index_looks_at_as_many_others_as_are_set(tmp_path):
    vectors = at_angles(0, 1, 4.5, 5.5)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    settings = duplicate_settings(threshold=np.cos(np.radians(4)), neighbours=2)
    index = index_settings(exact_below=0)
    (group,), _ = duplicate_groups(embeddings, settings, index)
    assert group.rows.tolist() == [0, 1, 2, 3]


def test_a_threshold_that_is_no_cosine_is_refused():
    with pytest.raises(ValueError, match=r"duplicates\.threshold.*1\.5"):
        duplicate_settings(threshold=1.5)
