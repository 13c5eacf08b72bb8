"""byol_tf: BYOL for TensorFlow and Keras 3.

This module has every public name, see `api`; modules below may move.
"""

import importlib
import os
import pathlib
import platform
import sys

__version__ = "0.2.0"

# TensorFlow leaves oneDNN off on x86 processors without AVX-512 VNNI, where a
# step takes nearly twice as long without it (docs/performance.md). TensorFlow
# reads this when it is imported; a value that is set already is kept.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _is_command() -> bool:
    """Returns whether this is `byol_tf ...` or `python -m byol_tf ...`."""
    arguments = sys.orig_argv[1:]
    as_module = (
        "-m" in arguments
        and "byol_tf" in arguments[arguments.index("-m") :][1:2]
    )
    return as_module or pathlib.Path(sys.argv[0]).stem == "byol_tf"


def __getattr__(name: str) -> object:
    """Returns public names for code that a command imports, such as a task."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("byol_tf.api"), name)


# Importing `api` registers every class, so that `import byol_tf` is enough to
# load a model or layer in Keras' safe mode. The command checks its flags first,
# and only then imports TensorFlow.
if not _is_command():
    from byol_tf.api import *  # noqa: F403
    from byol_tf.api import __all__  # noqa: F401
