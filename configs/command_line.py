"""Loads a configuration file with overrides, as the command line does."""

import functools
import os
import pathlib
import sys
from collections.abc import Sequence

import ml_collections
from absl import flags
from ml_collections import config_flags

from configs.kinds import check_fields

FOLDER = pathlib.Path(__file__).parent  # of the recipes


def find(path: str) -> str:
    """Returns the file of a recipe.

    Args:
        path: `quickstart`, `imagenet:300`, or a file, which is returned as is.
    """
    name, colon, argument = path.partition(":")
    recipe = FOLDER / f"{name}.py"
    if os.path.isfile(name) or os.sep in name or not recipe.is_file():
        return os.path.expanduser(path)
    return f"{recipe}{colon}{argument}"


def command(name: str) -> list[str]:
    """Returns the command line that runs `byol_tf <name>` in a new process."""
    package = FOLDER.parent  # of a wheel; a checkout has `configs` beside it
    beside = package / "byol_tf"
    return [sys.executable, str(beside if beside.is_dir() else package), name]


def load(path: str, overrides: tuple[str, ...]) -> ml_collections.ConfigDict:
    """Loads the configuration of `--config=path` with overrides.

    Args:
        path: `file.py`, `file.py:argument` or the name of a recipe.
        overrides: "field=value" strings, each for a different field.

    Raises:
        ValueError: for an unknown field or a wrong value, in one line.
        OSError: if the file cannot be read.
    """
    path = find(path)
    check_file(path)
    define = functools.partial(config_flags.DEFINE_config_file, default=None)
    return _parsed(define, path, [f"--config={path}"], overrides)


def changed(
    config: ml_collections.ConfigDict, overrides: Sequence[str]
) -> ml_collections.ConfigDict:
    """Returns a configuration with overrides, as in `load`."""
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
    check_fields(holder.value.get("modality"), arguments)
    return holder.value


def check_file(path: str) -> None:
    """Raises an OSError if `path`, as for `load`, does not exist."""
    if not pathlib.Path(find(path).partition(":")[0]).is_file():
        raise FileNotFoundError(
            f"no configuration file {path}; `byol_tf` alone lists the recipes "
            "that go by their names"
        )
