"""Documents and the notebook need `byol_tf` alone, and name what exists."""

import ast
import inspect
import pathlib
import re
import textwrap

import pytest

import byol_tf

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "notebooks/*.ipynb")
    for path in ROOT.glob(pattern)
)


def names_in(text):
    """What follows `byol_tf.`, as `byol_tf.BYOL` or `byol_tf.methods.byol`."""
    return set(re.findall(r"byol_tf\.(\w+(?:\.\w+)*)", text))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_what_the_package_itself_has(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"from byol_tf\b", text)
    for name in names_in(text) - {"__version__"}:
        assert name.split(".")[0] in byol_tf.__all__, name


@pytest.mark.parametrize("name", byol_tf.__all__)
def test_what_is_public_says_what_it_does(name):
    first, *_ = inspect.getdoc(getattr(byol_tf, name)).split()
    assert re.fullmatch(r"[A-Z][a-z]+s", first), f"{name}: begin with a verb"


@pytest.mark.parametrize("name", byol_tf.__all__)
def test_what_is_public_describes_its_arguments(name):
    found = getattr(byol_tf, name)
    given = inspect.signature(getattr(found, "func", found)).parameters
    text = inspect.getdoc(found)
    missing = {p for p in given if not re.search(rf"\b{p}\b", text)}
    missing -= {"self", "name", "args", "kwargs"}
    assert len(given) < 3 or not missing


def callables(name):
    """A public function, or the public methods of a class and its bases."""
    found = getattr(byol_tf, name)
    if not inspect.isclass(found):
        return {name: found}
    bases = [c for c in found.__mro__ if c.__module__.startswith("byol_tf")]
    names = {n for base in bases for n in vars(base) if not n.startswith("_")}
    methods = {f"{name}.{n}": getattr(found, n) for n in names}
    return {n: m for n, m in methods.items() if inspect.isroutine(m)}


@pytest.mark.parametrize("name", byol_tf.__all__)
def test_methods_of_what_is_public_begin_with_a_verb(name):
    for title, function in callables(name).items():
        text = inspect.getdoc(function) or ""  # of a base, if it has none
        assert re.match(r"[A-Z][a-z]+s\b", text), title


def raises(function):
    """Whether its own lines raise an error, other than for a missing method."""
    source = inspect.getsource(inspect.unwrap(function))
    nodes = ast.parse(textwrap.dedent(source)).body[0].body.copy()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        error = isinstance(node, ast.Raise) and node.exc
        if error and "NotImplementedError" not in ast.unparse(error):
            return True
        nodes += ast.iter_child_nodes(node)
    return False


@pytest.mark.parametrize("name", byol_tf.__all__)
def test_what_is_public_names_its_errors(name):
    for title, function in callables(name).items():
        if inspect.isfunction(function) and raises(function):
            assert re.search(r"\b[Rr]aises?\b", inspect.getdoc(function)), title


@pytest.mark.parametrize("name", byol_tf.__all__)
def test_what_is_public_gives_shapes(name):
    whole = inspect.getdoc(getattr(byol_tf, name))
    for title, function in callables(name).items():
        if not inspect.isfunction(function):
            continue
        annotations = map(str, inspect.get_annotations(function).values())
        if any(re.search(r"ndarray|Tensor\b", each) for each in annotations):
            text = f"{whole} {inspect.getdoc(function)}"
            assert re.search(r"`\[|\[\w*,|scalar|shape", text), title


@pytest.mark.parametrize("name", ["VectorTask", "pretrain"])
def test_what_a_command_imports_finds_the_public_names(name):
    found = byol_tf.__getattr__(name)  # asked for names that are not there
    assert found is getattr(byol_tf, name)


def test_a_name_that_is_not_public_is_an_attribute_error():
    for name in ("Nothing", "__wrapped__"):
        with pytest.raises(AttributeError, match=name):
            getattr(byol_tf, name)


def test_the_documents_are_found():
    assert {"README.md", "byol_colab.ipynb"} <= {p.name for p in DOCUMENTS}
