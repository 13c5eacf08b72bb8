"""Signals to the process of a test itself."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def sigterm_when(happened: Callable[[], bool]) -> Iterator[None]:
    """Within the block, sends SIGTERM once something has happened."""
    over = threading.Event()

    def wait():
        while not over.wait(0.02):
            if happened():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
