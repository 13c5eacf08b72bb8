"""A configuration file with overrides, read as the command line reads them."""

import functools
import os
import pathlib
import sys
from collections.abc import Sequence

import ml_collections
from absl import flags
from ml_collections import config_flags

FOLDER = pathlib.Path(__file__).parent  # of the recipes


def find(path: str) -> str:
    """Returns the file of a recipe that is given by its name.

    Args:
        path: `quickstart`, `imagenet:300`, or a file, which stays as it is.
    """
    name, colon, argument = path.partition(":")
    recipe = FOLDER / f"{name}.py"
    if os.path.isfile(name) or os.sep in name or not recipe.is_file():
        return os.path.expanduser(path)
    return f"{recipe}{colon}{argument}"


def command(name: str) -> list[str]:
    """Returns what starts `byol_tf <name>` in a process of its own."""
    package = FOLDER.parent  # of a wheel; a checkout has `configs` beside it
    beside = package / "byol_tf"
    return [sys.executable, str(beside if beside.is_dir() else package), name]


def load(path: str, overrides: tuple[str, ...]) -> ml_collections.ConfigDict:
    """The configuration that a script gets by `--config=path` and overrides.

    Args:
        path: of the file, `file.py` or `file.py:argument`.
        overrides: "field=value", each of another field.

    Raises:
        ValueError: in one line, for an unknown field or a wrong value.
        OSError: the file cannot be read.
    """
    path = find(path)
    check_file(path)
    define = functools.partial(config_flags.DEFINE_config_file, default=None)
    return _parsed(define, path, [f"--config={path}"], overrides)


def changed(
    config: ml_collections.ConfigDict, overrides: Sequence[str]
) -> ml_collections.ConfigDict:
    """A configuration with overrides, as `load` has them."""
    define = functools.partial(
        config_flags.DEFINE_config_dict,
        config=ml_collections.ConfigDict(config),
    )
    return _parsed(define, "the configuration", [], overrides)


def _parsed(define, name, arguments, overrides):
    arguments = ["", *arguments, *(f"--config.{o}" for o in overrides)]
    values = flags.FlagValues()
    holder = define("config", flag_values=values, sys_argv=arguments)
    try:
        values(arguments)
    except (AttributeError, KeyError) as error:
        reason = error
        while isinstance(reason, Exception) and reason.args:
            reason = reason.args[0]
        raise ValueError(f"{name} has no field {reason}") from error
    except (flags.Error, SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    return holder.value


def check_file(path: str) -> None:
    """Raises an OSError if there is no recipe or file of `file.py:argument`."""
    if not pathlib.Path(find(path).partition(":")[0]).is_file():
        raise FileNotFoundError(
            f"no configuration file {path}; `byol_tf` alone lists the recipes "
            "that go by their names"
        )
