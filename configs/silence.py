"""Starts TensorFlow without its notes, and without what no command needs.

With `TF_CPP_MIN_LOG_LEVEL` 0 or 1 all of the notes are shown. Imports the
standard library alone.
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
_SHOWN = ("0", "1")  # levels of one who wants to see them
# Notes that come whatever the level, and the error of a machine without a GPU.
_NOTES = re.compile(
    rb"WARNING: All log messages before absl::Init|[IW]\d{4} \d\d:"
    rb"|E\d{4} .*cuda_(platform|driver)\.cc.*cuInit"
    rb"|E\d{4} .*Unable to register cu\w+ factory"
    rb"|To enable the following instructions:"
)
# What the C libraries of image formats write of damaged files, of which every
# caller hears by a status or an error.
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
    """Within the block, TensorFlow is imported and looks at the devices.

    A process of its own passes on the lines on stderr that are no notes: so
    nothing is lost where the import ends the process, as it does on a
    processor without the instructions that TensorFlow was built for.
    """
    with _unseen("sklearn"), _quiet():
        yield


@contextlib.contextmanager
def _unseen(name):
    """Within the block, a package seems not to be installed.

    Keras imports scikit-learn at its start, a second's work, for wrappers of
    models that no command uses.
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
    """Within the block, C libraries say nothing of damaged image files.

    Lines without an end, as of a progress bar, wait for it. Begin before
    TensorFlow is imported, since the process is copied.
    """
    if not hasattr(os, "fork") or "tensorflow" in sys.modules:
        yield
        return
    with _without(_DECODERS):
        yield


@contextlib.contextmanager
def _without(pattern):
    """Within the block, stderr goes through a process that leaves lines out."""
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
    """Whether a record is no note of a library; a filter for a handler.

    tifffile's are of damaged files, as those of `decoding`.
    """
    if record.name == "tifffile":
        return False
    note = record.levelno < logging.WARNING and "tensorflow" in record.pathname
    return not note and _RETRACING not in record.getMessage()


def _pass_on(reading, pattern):
    """Writes lines to stderr, others than those, then ends the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError), os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not pattern.match(line):
                os.write(2, line)
    os._exit(0)
