"""Reads the fields of a configuration and their comments, for `--help`."""

import ast
import importlib
import inspect
import io
import tokenize
from collections.abc import Iterator, Mapping
from types import ModuleType

from configs.kinds import kind_of_field


def lines_of(name: str) -> list[str]:
    """Returns the fields of a configuration as flags, each with its comment.

    Keeps the order of the file, since some comments refer to the field before.

    Args:
        name: name of a module of `configs`, such as "base".
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


def check_same(config: Mapping, name: str) -> None:
    """Raises a ValueError if a configuration is one of another command.

    Args:
        config: the configuration; may lack sections of one kind of data.
        name: module of `configs` with all fields of the command.
    """
    own = importlib.import_module(f"configs.{name}").get_config()
    lacking = [n for n in own if n not in config and not kind_of_field(n)]
    if lacking:
        raise ValueError(
            f"--config names a file without the field {lacking[0]}, as for "
            f"another command; this one needs the fields of configs/{name}.py"
        )


def comments(module: ModuleType) -> dict[str, str]:
    """Reads the comments of a file by dotted field name.

    A comment is on the field's line or on the lines above it; "" for none.
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
        if own or field not in found:  # code below may set it again
            found[field] = " ".join(own)
    return found


def _comment_lines(source):
    """Returns comments by line: those on their own line, those after code."""
    above, behind = {}, {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = token.line.strip().startswith("#")
            text = token.string.lstrip("# ")
            (above if alone else behind)[token.start[0]] = text
    return above, behind


def _assignments(tree) -> Iterator[tuple[str, int, int]]:
    """Yields the fields that a file sets, with their first and last line."""
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
    """Yields all fields as (dotted name, value)."""
    for key, value in config.items():
        if hasattr(value, "items"):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
