"""A configuration file with overrides, read as the command line reads them."""

import pathlib

import ml_collections
from absl import flags
from ml_collections import config_flags


def load(path: str, overrides: tuple[str, ...]) -> ml_collections.ConfigDict:
    """The configuration that a script gets by `--config=path` and overrides.

    Args:
        path: of the file, `file.py` or `file.py:argument`.
        overrides: "field=value", each of another field.

    Raises:
        ValueError: in one line, for an unknown field or a wrong value.
        OSError: the file cannot be read.
    """
    check_file(path)
    arguments = ["", f"--config={path}"]
    arguments += [f"--config.{override}" for override in overrides]
    values = flags.FlagValues()
    holder = config_flags.DEFINE_config_file(
        "config", None, flag_values=values, sys_argv=arguments
    )
    try:
        values(arguments)
    except (AttributeError, KeyError) as error:
        reason = error
        while isinstance(reason, Exception) and reason.args:
            reason = reason.args[0]
        raise ValueError(f"{path} has no field {reason}") from error
    except (flags.Error, SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    return holder.value


def check_file(path: str) -> None:
    """Raises an OSError if there is no file of `file.py:argument`."""
    if not pathlib.Path(path.partition(":")[0]).is_file():
        raise FileNotFoundError(f"no configuration file {path}")
