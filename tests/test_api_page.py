"""`docs/api.md` says what the docstrings say."""

import ast
import inspect

import pytest

from tools import make_api

MODULES = [m for modules in make_api.SECTIONS.values() for m in modules]


def test_the_page_is_up_to_date():
    written = make_api.PAGE.read_text(encoding="utf-8")
    assert written == make_api.page(), "run python -m tools.make_api"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_docstring(module):
    tree = make_api.parse(module)
    assert ast.get_docstring(tree)
    for node in make_api.definitions(tree):
        assert ast.get_docstring(node), f"{module}.{node.name}"


def test_no_module_is_listed_twice():
    assert len(MODULES) == len(set(MODULES))


def test_every_name_of_the_package_is_described():
    text = make_api.page()
    for name in make_api.exported(make_api.parse("__init__")):
        assert f"\n#### {name}\n" in text


@pytest.mark.parametrize(
    "source",
    [
        "def f(a, b: int = 2, *c, d=None, **e) -> str: ...",
        "def f(a, /, b, *, c: tuple = (1, 2)): ...",
        "def f(): ...",
    ],
)
def test_signatures_are_those_that_python_sees(source):
    names = {}
    exec(source, names)
    (node,) = ast.parse(source).body
    shown = make_api._signature(node, method=False)
    assert shown == str(inspect.signature(names["f"]))


def test_a_long_signature_has_one_argument_a_line():
    arguments = ", ".join(f"argument_{i}: int = {i}" for i in range(6))
    (node,) = ast.parse(f"def f({arguments}) -> int: ...").body
    lines = make_api._signature(node, method=False).splitlines()
    assert lines[0] == "(" and lines[-1] == ") -> int"
    assert lines[1:-1] == [f"    argument_{i}: int = {i}," for i in range(6)]


def test_sections_of_a_docstring_become_lists():
    text = make_api.markdown(
        "First.\n\n    code()\n\n"
        "Args:\n    one: of\n        them.\n    two: x.\n\n"
        "Returns:\n    What.\n\n"
        "Raises:\n    ValueError: if not.\n\nLast."
    )
    assert text == (
        "First.\n\n    code()\n\n"
        "**Args**\n\n- `one`: of\n  them.\n- `two`: x.\n\n"
        "**Returns**\n\nWhat.\n\n"
        "**Raises**\n\n- `ValueError`: if not.\n\nLast."
    )
