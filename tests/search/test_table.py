"""Embeddings in a Parquet file, and its parts."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from byol_tf.search import parts
from byol_tf.search.index import IndexSettings, index_path, nearest
from byol_tf.search.table import OK, Embeddings, Row
from tests.support.embeddings import random_vectors, write_embeddings

ABOUT = {"origin": {"encoder": "a"}}


def rows(count, features=3):
    vectors = random_vectors(count, features)
    return [
        Row(f"{i}.png", vector, OK, 10 + i, 20 + i)
        for i, vector in enumerate(vectors)
    ]


def test_a_file_can_be_read_by_others(tmp_path):
    vectors = random_vectors(3, 5)
    target = tmp_path / "e.parquet"
    write_embeddings(
        target, [vectors[0], None, vectors[2]], ["ä.png", "b", "c"]
    )
    read = pq.read_table(target)
    assert read.column_names[:3] == ["path", "representation", "status"]
    assert read.schema.field("representation").type == pa.list_(pa.float32())
    assert read["path"].to_pylist() == ["ä.png", "b", "c"]
    assert read["status"].to_pylist() == ["ok", "damaged", "ok"]
    found = read["representation"].to_pylist()
    assert found[1] is None
    np.testing.assert_array_equal(
        np.array([found[0], found[2]], np.float32), vectors[[0, 2]]
    )


def test_only_images_with_a_representation_are_searched(tmp_path):
    vectors = random_vectors(4, 5) * 7
    given = [vectors[0], None, *vectors[1:3], None, vectors[3]]
    embeddings = write_embeddings(tmp_path / "e.parquet", given)
    assert len(embeddings) == 4
    assert embeddings.path_of(1) == "00002.png"
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ((start, block),) = embeddings.blocks()
    assert start == 0
    np.testing.assert_allclose(block, unit, atol=1e-6)
    np.testing.assert_allclose(embeddings.rows([3, 0]), unit[[3, 0]], atol=1e-6)


def test_blocks_are_read_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 4)
    vectors = list(random_vectors(10, 3))
    vectors[2] = vectors[5] = None
    embeddings = write_embeddings(tmp_path / "e.parquet", vectors)
    assert [(s, len(b)) for s, b in embeddings.blocks()] == [
        *((0, 3), (3, 3), (6, 2))
    ]
    assert [s for s, _ in embeddings.blocks(first=4)] == [3, 6]
    wanted = np.stack([v for v in vectors if v is not None])[[7, 2, 4]]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings.rows([7, 2, 4]), wanted, atol=1e-6)


def test_a_part_holds_at_most_so_many_rows_and_no_more_wait(tmp_path):
    target = tmp_path / "e.parquet"
    most = 0
    with parts.PartWriter(target, 3, ABOUT, rows=4) as writer:
        for row in rows(11):
            writer.add(row)
            most = max(most, writer.waiting)
    assert most == 3  # the fourth is written at once
    counts = [pq.read_metadata(p).num_rows for p in parts.part_paths(target)]
    assert counts == [4, 4, 3]


def test_a_part_is_written_when_it_is_late(tmp_path):
    target = tmp_path / "e.parquet"
    with parts.PartWriter(target, 3, ABOUT, rows=100, seconds=0) as writer:
        writer.add(rows(1)[0])
        assert writer.waiting == 0
    assert len(parts.part_paths(target)) == 1


def test_rows_are_written_although_an_error_comes(tmp_path):
    target = tmp_path / "e.parquet"
    with (
        pytest.raises(KeyboardInterrupt),
        parts.PartWriter(target, 3, ABOUT, rows=100) as writer,
    ):
        writer.add(rows(1)[0])
        raise KeyboardInterrupt
    assert parts.known_files(target) == {"0.png": (10, 20)}


def test_groups_of_rows_do_not_depend_on_the_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 5)
    files = {row.path: (row.size, row.modified) for row in rows(13)}
    digests = set()
    for size in (1, 3, 100):
        target = tmp_path / f"{size}.parquet"
        with parts.PartWriter(target, 3, ABOUT, rows=size) as writer:
            for row in rows(13):
                writer.add(row)
        assert parts.join(target, files, 3, ABOUT) == (13, [])
        assert not parts.parts_folder(target).exists()
        digests.add(target.read_bytes())
    assert len(digests) == 1
    metadata = pq.read_metadata(target)
    sizes = [metadata.row_group(i).num_rows for i in range(3)]
    assert sizes == [5, 5, 3]


def test_a_file_whose_rows_are_all_outdated_is_joined(tmp_path):
    target = tmp_path / "e.parquet"
    for modified in (1, 2):
        with parts.PartWriter(target, 3, ABOUT) as writer:
            writer.add(rows(1)[0]._replace(modified=modified))
        files = {"0.png": (10, modified)}
        assert parts.join(target, files, 3, ABOUT) == (1, [])
    assert parts.known_files(target) == files


def test_a_file_without_a_row_is_noticed(tmp_path):
    target = tmp_path / "e.parquet"
    with parts.PartWriter(target, 3, ABOUT) as writer:
        writer.add(rows(1)[0])
    files = {"0.png": (10, 20), "lost.png": (1, 1)}
    with pytest.raises(ValueError, match=r"lost\.png.*Run the same command"):
        parts.join(target, files, 3, ABOUT)
    assert not target.exists()
    assert parts.known_files(target)


def test_what_are_not_embeddings_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no embeddings in"):
        Embeddings(tmp_path / "nowhere.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="cannot be loaded"):
        Embeddings(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"does not hold embeddings"):
        Embeddings(tmp_path / "other.parquet")


@pytest.mark.parametrize("path", ["../a.png", "/etc/a.png", "b/../../a.png"])
def test_a_path_out_of_the_folder_is_refused_by_name(tmp_path, path):
    vectors = list(random_vectors(3, 4))
    with pytest.raises(ValueError, match="is not below its folder") as raised:
        write_embeddings(tmp_path / "e.parquet", vectors, ["b", path, "a..b"])
    assert path in str(raised.value)


@pytest.mark.parametrize("name", ["a[1]", "b*?", "c d'", "e\nf", "\u00e9"])
def test_files_of_any_name_are_written_and_searched(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    vectors = random_vectors(20, 4)
    embeddings = write_embeddings(folder / f"{name}.parquet", list(vectors))
    for expansion in (8, 9):  # the graph of the second replaces the first
        settings = IndexSettings(0, 8, expansion, 8)
        rows, _ = nearest(embeddings, vectors[:3], 1, settings)
        assert rows[:, 0].tolist() == [0, 1, 2]
    assert len(list(folder.iterdir())) == 2


def test_the_graph_of_another_file_is_left_alone(tmp_path):
    (tmp_path / "e1.parquet.0.usearch").touch()
    vectors = random_vectors(5, 4)
    embeddings = write_embeddings(tmp_path / "e[1].parquet", list(vectors))
    nearest(embeddings, vectors[:1], 1, IndexSettings(0, 8, 8, 8))
    assert (tmp_path / "e1.parquet.0.usearch").exists()


def test_a_damaged_graph_is_made_again_once_it_is_removed_as_advised(tmp_path):
    vectors, settings = random_vectors(5, 4), IndexSettings(0, 8, 8, 8)
    embeddings = write_embeddings(tmp_path / "e.parquet", list(vectors))
    graph = index_path(embeddings.path, settings)
    graph.write_bytes(b"no graph")
    with pytest.raises(ValueError, match="usearch cannot be loaded"):
        nearest(embeddings, vectors[:1], 1, settings)
    graph.unlink()
    assert nearest(embeddings, vectors[:1], 1, settings)[0].tolist() == [[0]]
