"""Searching a folder of Python files."""

import json

import pytest

from byol_tf.systems.code_search import functions, verbs

CODE = '''
def readHTMLFile(path, max_size):
    """Return the text of a page on disk.

    More."""
    return open(path).read(max_size)


class Queue:
    def pop_first(self):
        """Remove the oldest entry of the queue."""
        return self.items.pop(0)

    def empty(self):
        """Nothing."""
'''


@pytest.fixture
def place(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("def (")
    return tmp_path


def test_names_are_split_at_case_and_underscore():
    found = functions.words("def readHTMLFile(max_size): x2 = HTTPServer")
    assert found == "def read html file max size x2 http server"


def test_functions_are_read_without_their_docstrings(place, caplog):
    first, second, third = functions.read_folder(place)
    assert first.path == "a.py:2" and second.name == "pop_first"
    assert first.docstring == "Return the text of a page on disk."
    assert "Return" not in first.code and "max_size" in first.code
    assert third.code.endswith("pass") and "broken.py" in caplog.text


def test_a_file_nested_too_deeply_is_left_out(place, caplog):
    code = "def f():\n    return " + " + ".join("1" * 1500)
    (place / "deep.py").write_text(code)
    assert len(functions.read_folder(place)) == 3
    assert "deep.py is left out" in caplog.text


def test_a_string_may_hold_other_ends_of_lines(tmp_path):
    row = {"path": "a", "name": "f", "docstring": "b\u2028c", "code": "d"}
    file = tmp_path / "test.jsonl"
    file.write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    assert functions.read_pairs(file) == [functions.Function(**row)]


def test_a_description_finds_its_function(place, capsys):
    run = str(place / "run")
    verbs.fit(None, str(place), run)
    capsys.readouterr()
    verbs.ask(None, None, run, "first of a queue")
    assert "pop_first" in capsys.readouterr().out.splitlines()[0]
    verbs.ask(None, None, run, "\u732b")
    assert capsys.readouterr().out == "No function has any of these words\n"


def test_the_ranking_is_judged_beside_tfidf(place):
    verbs.evaluate(None, str(place), str(place / "run"))
    found = json.loads((place / "run" / verbs.RESULT).read_text())
    assert found["mrr"] == 1 and found["functions"] == 2
    assert 0 < found["tfidf_mrr"] <= 1


def test_a_folder_without_functions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no Python function below"):
        verbs.fit(None, str(tmp_path), str(tmp_path))
    with pytest.raises(ValueError, match="fit first"):
        verbs.ask(None, None, str(tmp_path), "a")
