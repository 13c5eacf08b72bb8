"""The command `byol_tf`; also `python -m byol_tf`.

Checks flags and paths before TensorFlow is imported: see `configs.door`.
"""

import importlib
import pathlib
import sys

if not __package__:  # started as `python .../byol_tf`
    sys.path[0] = str(pathlib.Path(__file__).parents[1])

from byol_tf.jobs.recipes import configs


def main() -> None:
    """Runs the command that the arguments name."""
    with configs():
        importlib.import_module("configs.early")  # handles signals
        importlib.import_module("configs.commands").run()


if __name__ == "__main__":
    main()
