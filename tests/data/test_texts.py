"""Rows that are cells of tables: which are taken, and what is refused."""

import datetime
import json

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.data import sources
from byol_tf.data.cells import read_cells
from byol_tf.data.decoder import Columns, Decoder
from byol_tf.data.items import find_items, items_of

ROWS = [("a b", "x"), ("c, d", "y"), ("", "x"), ("a b", "y"), ("e", "")]


def as_csv(rows, head="text,label", separator=","):
    lines = [f'"{text}"{separator}{label}' for text, label in rows]
    return "\n".join([head.replace(",", separator), *lines]) + "\n"


def as_json_lines(rows):
    rows = [{"text": text, "label": label or None} for text, label in rows]
    return "\n".join(map(json.dumps, rows)) + "\n"


def load(folder, split="train", columns=("", "", "|"), **options):
    decoder = Decoder(
        {"text": tf.TensorSpec((), tf.string)},
        decode=np.array,
        extensions=(".txt",),
        columns=Columns(*columns),
    )
    folder = str(folder)
    return sources.load("folder", "", split, folder, decoder=decoder, **options)


def texts(examples):
    return [
        examples.read(row)["text"].item() for row in range(len(examples.paths))
    ]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_is_read_by_the_names_of_its_columns(kind, tmp_path):
    path = tmp_path / f"train.{kind}"
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = [{"text": text, "label": label} for text, label in ROWS]
        parquet.write_table(
            pytest.importorskip("pyarrow").Table.from_pylist(rows), path
        )
    elif kind == "jsonl":
        path.write_text(as_json_lines(ROWS))
    else:
        separator = {"csv": ",", "tsv": "\t"}[kind]
        path.write_text(as_csv(ROWS, separator=separator))
    found = load(tmp_path)
    assert texts(found) == [b"a b", b"c, d", b"a b", b"e"]
    assert found.class_names == ("x", "y")
    np.testing.assert_array_equal(found.labels, [0, 1, 1, -1])
    first = 2 if kind in ("csv", "tsv") else 1
    assert found.paths[0] == f"train.{kind}:{first}"
    assert found.skipped == ((f"train.{kind}:{first + 2}", "an empty cell"),)


def test_classes_are_those_of_the_training_table(tmp_path):
    (tmp_path / "train.csv").write_text(
        as_csv([("a", 10), ("b", 9), ("c", 10)])
    )
    (tmp_path / "test.csv").write_text(as_csv([("d", 10), ("e", 11)]))
    assert load(tmp_path).class_names == ("9", "10")
    test = load(tmp_path, "test")
    assert test.class_names == ("9", "10", "11")
    np.testing.assert_array_equal(test.labels, [1, 2])


def test_a_class_whose_texts_are_empty_is_none_in_any_split(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\na,x\n,y\nb,z\n")
    (tmp_path / "test.csv").write_text("text,label\nc,z\n")
    for split in ("train", "test"):
        assert load(tmp_path, split).class_names == ("x", "z")


def test_numbers_of_one_value_are_classes_in_the_order_of_letters(tmp_path):
    labels = ("1.0", "2", "01", "1", "1.00", "001")
    (tmp_path / "train.csv").write_text(as_csv([("a", n) for n in labels]))
    names = ("001", "01", "1", "1.0", "1.00", "2")
    assert load(tmp_path).class_names == names


def test_a_file_of_lines_has_a_text_in_each(tmp_path):
    path = tmp_path / "all.txt"
    path.write_bytes(b"\xef\xbb\xbffirst\r\n\r\nsecond\r\n")
    found = load(path)
    assert texts(found) == [b"first", b"second"] and not found.labelled
    assert found.paths == ("all.txt:1", "all.txt:3")


def test_a_folder_of_files_has_a_text_in_each(tmp_path):
    for name in ("x/1.txt", "y/2.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    found = load(tmp_path)
    assert found.paths == ("x/1.txt", "y/2.txt")
    assert found.class_names == ("x", "y")


def test_a_split_has_one_table(tmp_path):
    for name in ("train.csv", "train.txt"):
        (tmp_path / name).write_text(as_csv([("a", "x")]))
    with pytest.raises(ValueError, match=r"'train': train\.csv and train\.txt"):
        load(tmp_path)


def test_a_list_of_labels_is_no_table_of_texts(tmp_path):
    (tmp_path / "labels.csv").write_text("path,text\n1.txt,a\n")
    (tmp_path / "1.txt").write_text("one")
    assert load(tmp_path).paths == ("1.txt",)


def test_a_column_is_not_for_files_which_is_said(tmp_path, caplog):
    (tmp_path / "1.txt").write_text("one")
    assert load(tmp_path, columns=("body", "", "|")).paths == ("1.txt",)
    assert "Column 'body' is not used" in caplog.text


def test_pairs_are_two_cells_of_a_row(tmp_path):
    head = "question,answer"
    rows = [("a|b", "c"), ("d", ""), ("e", "f")]
    (tmp_path / "train.csv").write_text(as_csv(rows, head))
    found = load(tmp_path, columns=("question", "answer", "|"))
    assert texts(found) == [b"a b|c", b"e|f"]
    assert len(found.skipped) == 1


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        ("body,label\na,x\n", {}, "no column 'text', but 'body', 'label'"),
        (
            "text,label\na,x\n",
            {"label_column": "z"},
            "no column 'z', but 'text'",
        ),
        ("text\na, b\n", {}, "row 2 has 2 cells, but there are 1 columns"),
        ("text,label\n,x\n", {}, "has no row with a text"),
        ("text\na\n", {"layout": "flat"}, "is rows of a table; leave it"),
        ("", {}, "is empty; its first row must name columns"),
        ('text,label\n"a,x\nb,y\nc "d",z\n', {}, "row 2: .* must be closed"),
        ('text,label\na,x\n"b,y\n', {}, "row 3: .* must be closed"),
        ('"text\nlabel', {}, "row 1: .* must be closed"),
        ("t\0e\0x\0t\0\n\0", {}, "no UTF-8 text; save the table as UTF-8"),
    ],
)
def test_what_is_no_such_table_is_refused(content, options, reason, tmp_path):
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(ValueError, match=reason):
        load(tmp_path, **options)


def test_cells_of_a_parquet_file_may_be_no_json(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    day, gap = datetime.date(2024, 5, 1), float("nan")
    columns = {"text": [b"a ", b"b"], "day": [day, None], "label": [gap, 1.5]}
    table = pytest.importorskip("pyarrow").table(columns)
    parquet.write_table(table, tmp_path / "train.parquet")
    cells = read_cells(tmp_path / "train.parquet", [*columns])
    assert list(cells.rows) == [
        (1, [b"a", b"2024-05-01", b""]),
        (2, [b"b", b"", b"1.5"]),
    ]


def test_lines_that_are_no_json_are_refused(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(ValueError, match=r"train\.jsonl, line 2: "):
        load(tmp_path)
    (tmp_path / "train.jsonl").write_text("[1]\n")
    with pytest.raises(ValueError, match="line 1 must be a JSON object"):
        load(tmp_path)


def test_the_first_line_of_json_may_lack_a_label(tmp_path):
    lines = '{"text": "a"}', '{"text": "b", "kind": "x"}', '{"kind": "y"}'
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    found = load(tmp_path, label_column="kind")
    assert texts(found) == [b"a", b"b"]
    with pytest.raises(ValueError, match="'sort', but 'text', 'kind'"):
        load(tmp_path, label_column="sort")


def test_a_split_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "train.csv").write_text(as_csv(ROWS))
    with pytest.raises(ValueError, match="no table of the split 'test'"):
        load(tmp_path, "test")


def test_one_class_is_none(tmp_path):
    (tmp_path / "train.csv").write_text(as_csv([("a", "x"), ("b", "x")]))
    found = load(tmp_path)
    assert not found.labelled and found.class_names == ()


def test_bytes_that_are_no_utf8_come_back(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(b"text\ncaf\xe9\n")
    ((_, (cell,)),) = read_cells(path, ["text"]).rows
    assert cell == b"caf\xe9"


def test_a_cell_may_be_a_long_document(tmp_path):
    (tmp_path / "train.csv").write_text(as_csv([("a b " * 50_000, "x"), *ROWS]))
    assert max(map(len, texts(load(tmp_path)))) == 199_999


def test_semicolons_separate_cells_where_commas_do_not(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text;label\na, b;x\n")
    assert [*read_cells(path, ["text", "label"]).rows] == [(2, [b"a, b", b"x"])]


def test_items_are_the_cells_of_all_tables_with_the_column(tmp_path):
    (tmp_path / "train.csv").write_text(as_csv(ROWS))
    (tmp_path / "test.csv").write_text(as_csv([("é" * 90, "x")]))
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    for items in (
        find_items(tmp_path, (".txt",), "text", ""),
        items_of(tmp_path, "text", ""),
    ):
        assert items.names == [
            *("test.csv:2", "train.csv:2", "train.csv:3", "train.csv:5"),
            "train.csv:6",
        ]
        assert items.read("train.csv:3") == b"c, d"
        assert items.caption("train.csv:3") == "train.csv:3 c, d"
        assert items.caption("test.csv:2") == f"test.csv:2 {'é' * 77}..."
        size, _ = items.stat("test.csv:2")
        assert size == (tmp_path / "test.csv").stat().st_size
    with pytest.raises(ValueError, match="no column 'body', but"):
        find_items(tmp_path / "train.csv", (".txt",), "text", "body")
