"""Text of one line: names for terminals and the cells of CSV files."""

import csv

import pytest

from byol_tf.files import is_inside, write_csv
from byol_tf.lines import csv_cell, nfc, plural, printable, some


@pytest.mark.parametrize(
    "name,shown",
    [
        ("plain name.png", "plain name.png"),
        ("caf\u00e9 \u3000\u732b", "caf\u00e9 \u3000\u732b"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
    ],
)
def test_a_name_is_one_line_of_signs(name, shown):
    assert printable(name) == shown
    assert printable(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    "one,many", [("text", "texts"), ("history", "histories")]
)
def test_a_word_for_rows_has_a_plural(one, many):
    assert plural(one) == many


@pytest.mark.parametrize(
    "value,cell",
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-a.png", "'-a.png"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-", "-"),
        ("-1.5e-3", "-1.5e-3"),
        (-1.5, -1.5),
        ("\t=1", "\\t=1"),
        ("a=1", "a=1"),
        (None, None),
    ],
)
def test_a_cell_is_no_formula(value, cell):
    assert csv_cell(value) == cell


def test_a_csv_file_has_a_line_a_row_whatever_the_names(tmp_path):
    rows = [("path", "n"), ('a\nb,"c".png', 1), ("\udcff", None)]
    write_csv(tmp_path / "a.csv", rows)
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert text.count("\n") == 3
    read = list(csv.reader(text.splitlines()))
    assert read == [["path", "n"], ['a\\nb,"c".png', "1"], ["\\udcff", ""]]


def test_names_in_a_message_are_printable():
    assert some(["a\x1b", "\udcff"]) == "'a\\x1b', '\\udcff'"
    assert some("abcd") == "'a', 'b', 'c', ..."


def test_names_are_composed():
    assert nfc("e\u0301") == "\u00e9"


@pytest.mark.parametrize(
    "path,inside",
    [
        ("a/b.png", True),
        ("a..b/c.png", True),
        ("...", True),
        ("../a", False),
        ("a/../b", False),
        ("/a", False),
        ("\\\\host\\a", False),
        ("C:/a", False),
        ("a\\..\\b", False),
        ("", False),
    ],
)
def test_a_path_from_a_file_stays_below_its_folder(path, inside):
    assert is_inside(path) == inside
