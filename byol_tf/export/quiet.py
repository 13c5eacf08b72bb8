"""Hides the output of converters."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator

from byol_tf.lines import first_line

_LOGGERS = ("absl", "tensorflow", "tf2onnx")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences warnings, chatty loggers and what C++ writes to stderr.

    Errors are still raised.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    sys.stderr.flush()
    stderr_copy = os.dup(2)
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def converting(name: str, to: str) -> Iterator[None]:
    """Silences a converter, and turns its errors into a one-line ValueError.

    Args:
        name: name of the model, for the message.
        to: the format.
    """
    try:
        with quiet():
            yield
    except Exception as error:
        reason = first_line(error)[:200]
        raise ValueError(
            f"the {name} cannot be converted to {to}: {reason}"
        ) from error
