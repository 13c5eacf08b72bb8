"""Functions of Python files, and the words in their names and bodies."""

import ast
import io
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from absl import logging

from byol_tf.files import parse_json

_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^\w]+|_+")
MIN_WORDS = 4  # words that a docstring needs to be a question


class Function(NamedTuple):
    """A function: its place, and its code without the docstring."""

    path: str
    name: str
    docstring: str
    code: str


def words(code: str) -> str:
    """Splits code into words; names are split at case and underscore.

    >>> words("def readHTMLFile(max_size):")
    'def read html file max size'
    """
    return _SEPARATORS.sub(" ", _CAPITALS.sub(" ", code)).strip().lower()


def read_folder(folder: pathlib.Path) -> list[Function]:
    """Returns all functions of the Python files below a folder.

    Skips files that cannot be parsed, and logs them.

    Raises:
        ValueError: if there is no function.
    """
    functions = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        try:
            functions += [*_functions(name, ast.parse(path.read_bytes()))]
        except (SyntaxError, ValueError, RecursionError, OSError) as error:
            logging.warning("%s is left out: %s", path, error)
    if not functions:
        raise ValueError(f"there is no Python function below {folder}")
    return functions


def read_pairs(path: pathlib.Path) -> list[Function]:
    """Reads functions from a JSONL file with path, name, docstring and code.

    Raises:
        ValueError: if a line is invalid.
    """
    functions = []
    # Not by `splitlines`: a string may hold other ends of lines, as U+2028.
    for number, line in enumerate(io.StringIO(path.read_text("utf-8")), 1):
        try:
            row = parse_json(line)
            functions.append(Function(**{n: row[n] for n in Function._fields}))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number}: not JSON with path, name, docstring, "
                "code"
            ) from error
    return functions


def _functions(path, tree) -> Iterator[Function]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node) or ""
        if docstring:
            node.body = node.body[1:] or [ast.Pass()]
        first = docstring.split("\n\n")[0].strip()
        place = f"{path}:{node.lineno}"
        yield Function(place, node.name, first, ast.unparse(node))
