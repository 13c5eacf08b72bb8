"""Reading tables: what is left out, and what is said of wrong ones."""

import pytest

from byol_tf.systems.common.rows import (
    check_known,
    read_labelled,
    read_rows,
)


def write(folder, content):
    path = folder / "table.csv"
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    return path


def test_rows_without_text_are_left_out_with_a_line(tmp_path, caplog):
    path = write(tmp_path, 'text,label\n"a, b",x\n ,y\nc,\nd,y\n')
    assert read_labelled(path) == (["a, b", "d"], ["x", "y"])
    assert "2 of 4 rows lack text or label" in caplog.text


@pytest.mark.parametrize(
    "content,message",
    [
        ("words,label\na,b\n", "no column 'text'; it has 'words', 'label'"),
        ("", "is empty; its first row must name columns"),
        ("text,label\na,b,c\n", "put texts with commas into quotation marks"),
        ("text,label\n,a\n", "no row with text and label"),
        ("text,label\na,x\nb,x\n", "all 2 rows have the label 'x'"),
        (b"text,label\na,x\n" + b"caf\xe9,y\n", "line 3: not UTF-8"),
    ],
)
def test_a_wrong_table_is_named_with_what_to_do(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_labelled(write(tmp_path, content))


def test_labels_that_were_not_learned_are_said(caplog):
    check_known("a.csv", ["x", "y", "y"], ["x", "z"])
    assert "a.csv: 1 of 2 labels, such as 'y', not learned" in caplog.text
    with pytest.raises(ValueError, match="none of 1 ids, such as '7', is one"):
        check_known("a.csv", ["7"], {"8"}, "id")


def test_semicolons_may_separate_columns(tmp_path):
    path = write(tmp_path, "text;label\na, b;x\nc;y\n")
    assert read_labelled(path) == (["a, b", "c"], ["x", "y"])


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbftext\nhello\n")
    assert read_rows(path, ("text",)) == [{"text": "hello"}]
