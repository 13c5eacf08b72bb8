"""Where the recipes are: `configs`, beside the package or, in a wheel, in it.

Imports nothing of the package, so that a command can check its flags first.
"""

import contextlib
import importlib.util
import pathlib
import sys
from collections.abc import Iterator

NAME = "configs"


@contextlib.contextmanager
def configs() -> Iterator[None]:
    """Within the block, the package `configs` is ours.

    In a wheel it lies in `byol_tf`. It is called `configs` all the same, since
    recipes begin with `from configs import base`. A package of the user's own
    with that name is put aside, and back at the end.
    """
    package = pathlib.Path(__file__).parents[1]
    inside = package / NAME
    folder = inside if inside.is_dir() else package.parent / NAME
    file = folder / "__init__.py"
    found = getattr(sys.modules.get(NAME), "__file__", None)
    if found and pathlib.Path(found).resolve() == file.resolve():
        yield
        return
    others = _taken_out()
    _load(file)
    try:
        yield
    finally:
        if others:
            _taken_out()
            sys.modules.update(others)


def _load(file):
    spec = importlib.util.spec_from_file_location(
        NAME, file, submodule_search_locations=[str(file.parent)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


def _taken_out():
    """Takes the package and its modules out of those that are imported."""
    names = [n for n in sys.modules if n.partition(".")[0] == NAME]
    return {name: sys.modules.pop(name) for name in names}
