"""Where the recipes are: `configs`, beside the package or, in a wheel, in it.

Imports nothing of the package, so that a command can check its flags first.
"""

import importlib.util
import pathlib
import sys
from types import ModuleType


def configs() -> ModuleType:
    """Imports the package `configs`.

    In a wheel it lies in `byol_tf`. It is called `configs` all the same, since
    recipes begin with `from configs import base`.
    """
    if "configs" not in sys.modules:
        package = pathlib.Path(__file__).parents[1]
        inside = package / "configs"
        folder = inside if inside.is_dir() else package.parent / "configs"
        spec = importlib.util.spec_from_file_location(
            "configs",
            folder / "__init__.py",
            submodule_search_locations=[str(folder)],
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["configs"] = module
        spec.loader.exec_module(module)
    return sys.modules["configs"]
