"""Finds the recipes: `configs`, beside the package, or inside it in a wheel.

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
    """Makes the package `configs` ours within the block.

    In a wheel it lies in `byol_tf`. It must be importable as `configs`, since
    recipes begin with `from configs import base`. A user's own package with
    that name is put aside, and restored at the end.
    """
    package = pathlib.Path(__file__).parents[1]
    inside = package / NAME
    folder = inside if inside.is_dir() else package.parent / NAME
    file = folder / "__init__.py"
    loaded_file = getattr(sys.modules.get(NAME), "__file__", None)
    if loaded_file and pathlib.Path(loaded_file).resolve() == file.resolve():
        yield
        return
    user_modules = _pop_modules()
    _load(file)
    try:
        yield
    finally:
        if user_modules:
            _pop_modules()
            sys.modules.update(user_modules)


def _load(file):
    spec = importlib.util.spec_from_file_location(
        NAME, file, submodule_search_locations=[str(file.parent)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


def _pop_modules():
    """Removes the package and its modules from the imported ones."""
    names = [n for n in sys.modules if n.partition(".")[0] == NAME]
    return {name: sys.modules.pop(name) for name in names}
