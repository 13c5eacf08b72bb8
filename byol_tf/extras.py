"""Libraries that only some parts need, and that are installed by name."""

import importlib
from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """Imports a library of an optional part, where that part is used.

    Args:
        module: what is imported, such as "onnxruntime".
        extra: of this package, which installs it, such as "onnx".

    Returns:
        The module.

    Raises:
        ValueError: in one line, if it is not installed or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f'`pip install "byol-tf[{extra}]"` is needed: {module} cannot be '
            f"imported ({reason})"
        ) from error
