"""Imports TensorFlow without its log lines, and without unused packages.

`TF_CPP_MIN_LOG_LEVEL` 0 or 1 shows all log lines. Imports only the standard
library.
"""

import contextlib
import importlib
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_SHOWN = ("0", "1")  # levels that show all lines
# Lines printed at every level, and the error of a machine without a GPU.
_NOTES = re.compile(
    rb"WARNING: All log messages before absl::Init|[IW]\d{4} \d\d:"
    rb"|E\d{4} .*cuda_(platform|driver)\.cc.*cuInit"
    rb"|E\d{4} .*Unable to register cu\w+ factory"
    rb"|To enable the following instructions:"
)
# Messages of the C libraries of image formats about damaged files. Callers get
# a status or an error anyway.
_DECODERS = re.compile(
    rb"Premature end of JPEG|Corrupt JPEG data|Improper call to JPEG|Bogus \w+"
    rb"|Invalid (component ID|progressive|SOS|JPEG file)|Input file read error"
    rb"|Unsupported (JPEG|marker)|(Huffman|Quantization) table 0x"
    rb"|Warning: unknown JFIF|Inconsistent progression|Unknown Adobe color"
    rb"|E\d{4} .*jpeg_mem\.cc|libpng (warning|error)|tempfile\.tif:"
)
_RETRACING = "triggered tf.function retracing"


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Hides the lines that TensorFlow logs while the block imports it.

    A child process forwards all other lines of stderr. So nothing is lost if
    the import ends the process, as on a processor that lacks the instructions
    TensorFlow was built for. At the end of the block TensorFlow is imported and
    the devices are listed, which logs too.
    """
    with _unseen("sklearn"), _quiet():
        yield


@contextlib.contextmanager
def _unseen(name):
    """Makes a package look as if it were not installed.

    Keras imports scikit-learn, which takes a second, for wrappers that no
    command uses.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None
    try:
        yield
        importlib.import_module("tensorflow")
    finally:
        del sys.modules[name]


@contextlib.contextmanager
def _quiet():
    if os.environ.get(LEVEL) in _SHOWN or "tensorflow" in sys.modules:
        yield
        return
    os.environ.setdefault(LEVEL, "2")  # of C++, from here on
    if not hasattr(os, "fork"):
        yield
        return
    with _without(_NOTES):
        yield
        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.list_physical_devices()


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Hides what C libraries print about damaged image files.

    Output without a line end, as of a progress bar, is held back until the line
    ends. Enter before TensorFlow is imported, since the process is forked.
    """
    if not hasattr(os, "fork") or "tensorflow" in sys.modules:
        yield
        return
    with _without(_DECODERS):
        yield


@contextlib.contextmanager
def _without(pattern):
    """Sends stderr through a process that drops the matching lines."""
    sys.stderr.flush()
    kept, (reading, writing) = os.dup(2), os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        _pass_on(reading, pattern)
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.waitpid(child, 0)


def is_ours(record: logging.LogRecord) -> bool:
    """Returns whether a record is ours, as a filter for a log handler.

    Drops notes of TensorFlow, and of tifffile about damaged files.
    """
    if record.name == "tifffile":
        return False
    note = record.levelno < logging.WARNING and "tensorflow" in record.pathname
    return not note and _RETRACING not in record.getMessage()


def _pass_on(reading, pattern):
    """Forwards lines that do not match to stderr, then ends the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError), os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not pattern.match(line):
                os.write(2, line)
    os._exit(0)
