"""The nearest representations."""

import numpy as np
import pytest

from byol_tf.search import parts
from byol_tf.search.index import index_path, load_index, nearest
from tests.support.embeddings import random_vectors, write_embeddings
from tests.support.settings import index_settings

EXACT, APPROXIMATE = index_settings(), index_settings(exact_below=0)


def brute_force(vectors, queries, k):
    """In float64."""

    def unit(x):
        x = x.astype(np.float64)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    cosines = unit(queries) @ unit(vectors).T
    rows = np.argsort(-cosines, axis=1)[:, :k]
    return rows, np.take_along_axis(cosines, rows, axis=1)


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("rows_at_once", [40, 10_000])
def test_exact_search_equals_brute_force(
    tmp_path, monkeypatch, count, rows_at_once
):
    monkeypatch.setattr(parts, "ROWS", rows_at_once)
    vectors = random_vectors(301, 24) + 0.5
    queries = random_vectors(count, 24, seed=1) * 3
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    rows, cosines = nearest(embeddings, queries, 12, EXACT)
    wanted_rows, wanted = brute_force(vectors, queries, 12)
    np.testing.assert_array_equal(rows, wanted_rows)
    np.testing.assert_allclose(cosines, wanted, atol=2e-6)


def test_more_neighbours_than_images_are_all_images(tmp_path):
    vectors = random_vectors(5, 4)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    for settings in (EXACT, APPROXIMATE):
        rows, _ = nearest(embeddings, vectors[:2], 50, settings)
        assert np.sort(rows).tolist() == [[0, 1, 2, 3, 4]] * 2


def test_the_approximate_index_finds_nearly_all_neighbours(tmp_path):
    vectors = random_vectors(3000, 16)
    queries = random_vectors(100, 16, seed=1)
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    rows, cosines = nearest(embeddings, queries, 10, APPROXIMATE)
    wanted, _ = brute_force(vectors, queries, 10)
    found = [len(set(a) & set(b)) for a, b in zip(rows, wanted, strict=True)]
    assert np.mean(found) / 10 > 0.97
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_the_index_is_kept_and_replaced_when_the_embeddings_change(tmp_path):
    target = tmp_path / "e.parquet"
    embeddings = write_embeddings(target, random_vectors(50, 4))
    load_index(embeddings, APPROXIMATE)
    kept = index_path(target, APPROXIMATE)
    before = kept.stat().st_mtime_ns
    load_index(embeddings, APPROXIMATE)
    assert kept.stat().st_mtime_ns == before
    target.unlink()
    other = random_vectors(50, 4, seed=9)
    rows, _ = nearest(write_embeddings(target, other), other, 1, APPROXIMATE)
    assert rows[:, 0].tolist() == list(range(50))
    assert list(tmp_path.glob("*.usearch")) == [index_path(target, APPROXIMATE)]
    assert not kept.exists()


def test_a_damaged_index_is_refused(tmp_path):
    embeddings = write_embeddings(tmp_path / "e.parquet", random_vectors(9, 4))
    index_path(embeddings.path, APPROXIMATE).write_bytes(b"no index" * 20)
    with pytest.raises(ValueError, match="usearch cannot be loaded"):
        nearest(embeddings, random_vectors(1, 4), 3, APPROXIMATE)


def test_queries_of_another_length_are_refused(tmp_path):
    embeddings = write_embeddings(tmp_path / "e.parquet", random_vectors(9, 4))
    with pytest.raises(ValueError, match=r"must be \[n, 4\].*\(2, 5\)"):
        nearest(embeddings, random_vectors(2, 5), 3, EXACT)
    with pytest.raises(ValueError, match="`k` must be"):
        nearest(embeddings, random_vectors(2, 4), 0, EXACT)
    with pytest.raises(ValueError, match=r"index\.connectivity"):
        index_settings(connectivity=1)
