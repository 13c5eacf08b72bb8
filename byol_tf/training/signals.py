"""Signals that stop a run, handled between two steps."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

import keras


class Stopped(BaseException):
    """Raised when the run was asked to stop; it can be continued later.

    A BaseException like KeyboardInterrupt, so that handlers of errors ignore
    it.

    Attributes:
        status: exit status of a script: 0 after SIGTERM, which schedulers send,
            130 after Ctrl-C.
    """

    def __init__(self, message: str, status: int = 0):
        super().__init__(message)
        self.status = status


class OutOfTimeError(Stopped):
    """Raised when the time given to the run is over."""


class StopRequest(keras.callbacks.Callback):
    """Ends the training after the step, or epoch, in which a signal came.

    Args:
        deadline: time of `time.monotonic()` at which it also ends.
    """

    def __init__(self, deadline: float | None = None):
        super().__init__()
        self.signal = None  # its number
        self.deadline, self.late = deadline, False

    def on_train_batch_end(self, batch, logs=None):
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.late = True
        if self.late or self.signal is not None:
            self.model.stop_training = True

    def raise_if_asked(self, done: int, total: int) -> None:
        """Raises `Stopped` if a signal came or time ended before the last step.

        Args:
            done: steps done, all of them in a checkpoint.
            total: steps of the run.
        """
        line = f"stopped at step {done} of {total}; run the same command to "
        line += "go on"
        if self.signal is not None:
            raise Stopped(line, 130 if self.signal == signal.SIGINT else 0)
        if self.late and done < total:
            raise OutOfTimeError(line)


@contextlib.contextmanager
def stop_between_steps(
    deadline: float | None = None,
) -> Iterator[StopRequest]:
    """Makes SIGTERM and SIGINT only request a stop, within the block.

    A second SIGINT raises KeyboardInterrupt at once. Outside the main thread,
    where Python handles no signals, nothing changes.
    """
    request = StopRequest(deadline)

    def note(number, _frame):
        if number == signal.SIGINT and request.signal is not None:
            raise KeyboardInterrupt
        request.signal = number

    with _handled({signal.SIGTERM: note, signal.SIGINT: note}):
        yield request


@contextlib.contextmanager
def stop_at_once() -> Iterator[None]:
    """Makes SIGTERM raise `Stopped`, within the block.

    For the time before and after the steps, when there is nothing to save.
    """

    def stop(_number, _frame):
        raise Stopped("stopped; run the same command to go on")

    with _handled({signal.SIGTERM: stop}):
        yield


@contextlib.contextmanager
def _handled(handlers):
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
