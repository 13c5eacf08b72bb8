"""How every script starts: clear one-line errors instead of tracebacks."""

import functools
import sys
import warnings
from collections.abc import Callable

from absl import app, flags, logging

USAGE_ERROR = 2


def run_script(
    main: Callable[[], None], default_config: str | None = None
) -> None:
    """Parses the flags, runs `main`, and turns user errors into one line.

    A wrong flag, config key, value, path or data set (`ValueError`, `OSError`
    and what the flag parsers raise) ends with `error: ...` on stderr and exit
    status 2; `--verbosity=1` shows the traceback. Ctrl-C ends with status
    130. Anything else is a bug and keeps its traceback.

    Args:
        main: what the script does.
        default_config: file of the flag `--config` where it is not given. As
            the flag's own default it would be read, with its overrides, where
            the flag is defined: too early to catch a wrong one.
    """
    parse = functools.partial(_parse, default_config=default_config)
    app.run(lambda _: _guarded(main), flags_parser=parse)


def _parse(argv, default_config=None):
    try:
        if default_config:
            flags.FLAGS.set_default("config", default_config)
        rest = flags.FLAGS(argv)
    except (
        flags.Error,
        AttributeError,
        KeyError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        _fail(error)
    if len(rest) > 1:
        _fail(
            ValueError(f"unexpected argument {rest[1]!r}; flags start with --")
        )
    return rest


def _guarded(main):
    logging.use_absl_handler()
    warnings.showwarning = _show_warning
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        if logging.level_debug():
            raise
        _fail(error)


def _show_warning(message, category, *_args, **_kwargs):
    logging.warning("%s: %s", category.__name__, message)


def _fail(error):
    message = str(error) or type(error).__name__
    if isinstance(error, (KeyError, AttributeError)) and error.args:
        reason = error.args[0]
        while isinstance(reason, Exception) and reason.args:
            reason = reason.args[0]
        message = f"unknown configuration field {reason}"
    if isinstance(error.__cause__ or error.__context__, FileNotFoundError):
        message = str(error.__cause__ or error.__context__)
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(USAGE_ERROR)
