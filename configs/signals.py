"""Handles Ctrl-C and SIGTERM from the first line of a command on.

Imports only the standard library, so that the handlers are set at once.
"""

import contextlib
import importlib
import os
import signal
from collections.abc import Iterator

from configs import silence

INTERRUPTED = 130  # exit status
INTERRUPTED_LINE = "interrupted; run the same command again"
STOPPED_LINE = "stopped; run the same command to go on"
_INTERRUPT = (2, INTERRUPTED_LINE, INTERRUPTED)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_at_once() -> None:
    """Makes both signals end the process with one line and status 130.

    For use during imports, where an exception could be swallowed.
    """
    _handle(_ending(*_INTERRUPT))


def interrupt() -> None:
    """Makes both signals raise KeyboardInterrupt, as Ctrl-C usually does."""
    _handle(signal.default_int_handler)


@contextlib.contextmanager
def importing(stop: bool = False) -> Iterator[None]:
    """Imports the package; until the block ends, a signal ends the process.

    The process then prints one line and runs no handlers of exceptions.

    Args:
        stop: end with status 0 on SIGTERM (on Ctrl-C with 130).
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    end_at_once()
    if stop:
        signal.signal(signal.SIGTERM, _ending(1, STOPPED_LINE, 0))
    try:
        with silence.starting():
            importlib.import_module("byol_tf.api")  # registers every class
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handler):
    for number in _SIGNALS:
        # Shells ignore SIGINT in background jobs; keep that.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _ending(output, line, status):
    def end(_number, _frame):
        os.write(output, f"\n{line}\n".encode())
        os._exit(status)

    return end
