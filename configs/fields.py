"""The fields of a configuration with the comments beside them, for `--help`."""

import ast
import importlib
import inspect
import io
import tokenize
from collections.abc import Iterator, Mapping
from types import ModuleType


def lines_of(name: str) -> list[str]:
    """Returns the fields of a configuration as flags, each with its comment.

    They come in the order of their file, since comments go by it.

    Args:
        name: of a module of `configs`, such as "base".
    """
    module, base, sections = (
        importlib.import_module(f"configs.{n}")
        for n in (name, "base", "sections")
    )
    own, shared = comments(module), comments(sections)
    about = own | {k: v for k, v in comments(base).items() if k not in own}
    order = {field: place for place, field in enumerate(about)}
    found = flat(module.get_config())
    lines = []
    for field, value in sorted(
        found, key=lambda f: order.get(f[0], len(order))
    ):
        shown = "" if value is None else f"={value}".replace(" ", "")
        text = about.get(field) or shared.get(field.rpartition(".")[2], "")
        lines += [f"  --config.{field}{shown}", f"      {text}".rstrip()]
    return list(filter(None, lines))


def comments(module: ModuleType) -> dict[str, str]:
    """Reads what a file says of each field, by the field's name with dots.

    A comment stands behind the field, or in the lines above it; "" for none.
    """
    source = inspect.getsource(module)
    above, behind = _comment_lines(source)
    found = {}
    for field, first, last in _assignments(ast.parse(source)):
        start = first
        while start - 1 in above:
            start -= 1
        own = [above[line] for line in range(start, first)]
        own += [behind[n] for n in range(first, last + 1) if n in behind]
        found[field] = " ".join(own)
    return found


def _comment_lines(source):
    """Comments by line: on lines of their own, and behind code."""
    above, behind = {}, {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = token.line.strip().startswith("#")
            text = token.string.lstrip("# ")
            (above if alone else behind)[token.start[0]] = text
    return above, behind


def _assignments(tree) -> Iterator[tuple[str, int, int]]:
    """Fields that a file sets, each with its first and last line."""
    prefixes = {"config": "", "section": ""}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        target = node.targets[0]
        if not isinstance(target, ast.Attribute):
            continue
        prefix = prefixes.get(ast.unparse(target.value))
        if prefix is None:
            continue
        field = prefix + target.attr
        for other in node.targets[1:]:  # config.data = data = ...
            prefixes[ast.unparse(other)] = f"{field}."
        yield field, node.lineno, node.end_lineno


def flat(config: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Gives all fields by their names with dots, and their values."""
    for key, value in config.items():
        if hasattr(value, "items"):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
