"""Where tests lie, and what they take from each other."""

import ast
import pathlib

import pytest

from tests.conftest import SLOW

TESTS = pathlib.Path(__file__).parent
PACKAGE = TESTS.parent / "byol_tf"


def imported(path: pathlib.Path) -> set[str]:
    """Full names of all that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_modules(names: set[str]) -> set[str]:
    """Those names that are of modules of tests, or lie within one."""
    return {
        name for name in names if name.startswith("tests.") and ".test_" in name
    }


test_modules.__test__ = False


@pytest.mark.parametrize(
    "path",
    sorted(TESTS.rglob("*.py")),
    ids=lambda path: path.relative_to(TESTS).as_posix(),
)
def test_what_tests_share_lies_in_support(path):
    assert not test_modules(imported(path))


@pytest.mark.parametrize(
    "line",
    [
        "import tests.jobs.test_run",
        "from tests.jobs.test_run import make_run",
        "from tests.jobs import test_run",
        "def f():\n    from tests.test_run import a",
    ],
)
def test_an_import_of_tests_is_found(tmp_path, line):
    (tmp_path / "module.py").write_text(line)
    assert test_modules(imported(tmp_path / "module.py"))


def folders(root: pathlib.Path, pattern: str) -> set[str]:
    """Folders with files of a pattern, relative to the root."""
    found = {path.parent for path in root.rglob(pattern)}
    return {folder.relative_to(root).as_posix() for folder in found}


def test_every_folder_of_the_package_has_one_of_tests():
    # A folder with nothing but `__init__.py` has nothing to test.
    assert folders(PACKAGE, "[!_]*.py") <= folders(TESTS, "test_*.py")


def test_slow_files_exist_and_stand_in_order():
    assert list(SLOW) == sorted(SLOW)
    assert [name for name in SLOW if not (TESTS / name).is_file()] == []
